/// The walk beside Python's own: opcodes, instructions, and every name its unpickler would import.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvModels

@Suite(.serialized) struct PickleWalkTests {
  @Test("the opcodes are pickletools' own", .needs(.tool("python3"))) func opcodes() throws {
    let output = try Tool.run("python3", "-c", "import pickletools\nfor o in pickletools.opcodes: print(ord(o.code), o.name)")
    let known = output.text.split(separator: "\n").map(String.init).sorted()
    #expect(known.count == 68)
    #expect(PickleOpcode.allCases.map { "\($0.rawValue) \($0.name)" }.sorted() == known)
  }

  /// Random values of every plain type, sharing and containing one another, with functions and classes among them, in every protocol.
  private static let generator = """
    import collections, copyreg, io, os, pickle, pickletools, random, sys
    folder = sys.argv[1]
    random.seed(20240607)
    class Point:
        def __init__(self, x): self.x = x
        def __reduce__(self): return (Point, (self.x,), {'x': self.x})
    Point.__module__ = 'geometry'
    class Slots:
        __slots__ = ['a']
        def __reduce_ex__(self, version): return (copyreg.__newobj_ex__, (Slots, (), {})) if version >= 2 else (Slots, ())
    Slots.__module__ = 'geometry'
    import types
    sys.modules['geometry'] = types.ModuleType('geometry')
    sys.modules['geometry'].Point, sys.modules['geometry'].Slots = Point, Slots
    names = [os.system, eval, collections.OrderedDict, len, os.path.join, Point, Slots]
    def value(depth, pool):
        kind = random.randrange(22)
        if kind == 0: v = None
        elif kind == 1: v = random.random() < 0.5
        elif kind == 2: v = random.choice([0, 1, 255, 256, 65536, -1, -2**31, 2**31, 2**63, -2**200, 2**2100])
        elif kind == 3: v = random.random() * 10.0 ** random.randrange(-300, 300)
        elif kind == 4: v = ''.join(chr(random.choice([10, 39, 34, 92, 65, 97, 233, 0x4e2d, 0x1f600])) for _ in range(random.randrange(12)))
        elif kind == 5: v = 'x' * random.choice([255, 256, 300, 300, 300, 70000])
        elif kind == 6: v = random.randbytes(random.choice([0, 3, 255, 256, 256, 66000]))
        elif kind == 7: v = bytearray(b'ab' * random.randrange(200))
        elif kind == 8: v = random.choice(names)
        elif kind == 9 and pool: v = random.choice(pool)
        elif kind == 10: v = complex(1, 2)
        elif depth == 0: v = 7
        elif kind < 13: v = [value(depth - 1, pool) for _ in range(random.choice([0, 1, 2, 5, 1100 if depth == 1 else 3]))]
        elif kind < 15: v = tuple(value(depth - 1, pool) for _ in range(random.randrange(6)))
        elif kind < 17: v = {random.choice(['a', 'b', 3, None, (1, 2)]): value(depth - 1, pool) for _ in range(random.randrange(6))}
        elif kind == 17: v = {1, 'two', 3.0}
        elif kind == 18: v = frozenset([4, 'five'])
        elif kind == 19: v = collections.OrderedDict(a=value(depth - 1, pool))
        elif kind == 20: v = Point(value(depth - 1, pool))
        else: v = Slots()
        pool.append(v)
        return v
    class Anything:
        def __init__(self, *a, **k): pass
        def __call__(self, *a, **k): return Anything()
        def __setstate__(self, s): pass
        def append(self, v): pass
        def extend(self, v): pass
        def add(self, v): pass
        def __setitem__(self, k, v): pass
        def __hash__(self): return 1
    class Witness(pickle.Unpickler):
        def find_class(self, module, name):
            self.names.add(module + '.' + name)
            return Anything
        def persistent_load(self, pid): return Anything()
    def witness(data):
        w = Witness(io.BytesIO(data), fix_imports=False)
        w.names = set()
        try: w.load()
        except Exception: pass
        return sorted(w.names)
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    """

  @Test("instructions are those of genops, and names those the unpickler asks for", .needs(.tool("python3"))) func randomPickles() throws {
    try withTemporaryFolder { folder in
      try Python.run(
        Self.generator + """

          for i in range(240):
              v = value(4, [])
              if i % 7 == 0:
                  v = [v]; v.append(v)
              p = (pickle.dumps if i % 2 else pickle._dumps)(v, i % 6, fix_imports=i % 3 == 0)
              if i % 5 == 0: p = pickletools.optimize(p)
              open(f'{folder}/{i}.pkl', 'wb').write(p)
              with open(f'{folder}/{i}.ops', 'w') as f:
                  for op, arg, pos in pickletools.genops(p):
                      print(pos, op.name, arg if op.name in ('GLOBAL', 'INST', 'GET', 'BINGET', 'LONG_BINGET', 'PUT', 'BINPUT', 'LONG_BINPUT', 'FRAME', 'PROTO') else '', file=f)
              open(f'{folder}/{i}.names', 'w').write(chr(10).join(witness(p)))
          """, folder)
      var compared = 0
      for index in 0..<240 {
        let bytes = try FileSystem.readFile(folder.appending("\(index).pkl"))
        let (instructions, ending, found) = try walk(bytes)
        let expected = String(decoding: try FileSystem.readFile(folder.appending("\(index).ops")), as: UTF8.self).split(separator: "\n")
        try #require(instructions.map(\.line) == expected.map { $0.trimmed }, "pickle \(index)")
        #expect(ending == .stopped(Int64(bytes.count)))
        let names = String(decoding: try FileSystem.readFile(folder.appending("\(index).names")), as: UTF8.self).split(separator: "\n")
        #expect(found.globals.sorted() == names.map(String.init), "pickle \(index)")
        #expect(found.findings.allSatisfy { $0.kind == .global || $0.kind == .call }, "pickle \(index): \(found.findings)")
        compared += instructions.count
      }
      #expect(compared > 8000)
    }
  }

  @Test("whatever is broken in a pickle, no name that is asked for stays untold", .needs(.tool("python3"))) func brokenPickles() throws {
    try withTemporaryFolder { folder in
      try Python.run(
        Self.generator + """

          opcodes = [ord(o.code) for o in pickletools.opcodes]
          for i in range(700):
              p = bytearray(pickle.dumps([value(2, []), os.system, eval, 'os', 'system'], i % 6, fix_imports=False)[:4000])
              for _ in range(random.randrange(1, 5)):
                  where = random.randrange(len(p))
                  what = random.randrange(4)
                  if what == 0: p[where] = random.randrange(256)
                  elif what == 1: p[where] = random.choice(opcodes)
                  elif what == 2: p[where:where] = bytes(random.choices(opcodes, k=random.randrange(1, 4)))
                  else: del p[where:where + random.randrange(1, 9)]
              open(f'{folder}/{i}.pkl', 'wb').write(p)
              open(f'{folder}/{i}.names', 'w').write(chr(10).join(n.encode('unicode_escape').decode() for n in witness(bytes(p))))
          """, folder)
      var told = 0
      for index in 0..<700 {
        let found = try walk(try FileSystem.readFile(folder.appending("\(index).pkl")))
        // A stream that is not followed to the end is refused as it is.
        if case .faulty(let fault) = found.ending, !fault.isCertain { continue }
        guard !found.found.findings.contains(where: { $0.kind == .unresolved }) else { continue }
        let names = String(decoding: try FileSystem.readFile(folder.appending("\(index).names")), as: UTF8.self).split(separator: "\n")
        let own = Set(found.found.globals.map(\.pythonEscaped))
        #expect(names.allSatisfy { own.contains(String($0)) }, "pickle \(index): \(names) but \(own)")
        told += names.count
      }
      #expect(told > 500)
    }
  }

  @Test("plain values of every protocol hold nothing else", .needs(.tool("python3")), arguments: 0...5) func plain(_ version: Int) throws {
    try withTemporaryFolder { folder in
      try Python.run(
        """
        import collections, pickle, sys
        v = {'a': [1, 2.5, None, True, 'ü', b'\\x00\\xff', bytearray(b'x'), (1,), {2}, frozenset([3]), 1j],
             'b': collections.OrderedDict(x=1), 'c': collections.defaultdict(list, y=[1])}
        v['self'] = v
        for loaded in (pickle.dumps(v, \(version)), pickle._dumps(v, \(version))):
            open(sys.argv[1] + '/model.pkl', 'ab').write(loaded)
        """, folder)
      let scan = try ModelScanner().scan(folder.appending("model.pkl"))
      #expect(scan.findings == [])
      #expect(scan.format == .pickle && scan.pickles == 2)
      #expect(scan.globals.contains("collections.OrderedDict"))
    }
  }
}

extension PickleInstruction {
  /// As the script above prints what genops yields.
  fileprivate var line: String {
    let argument: String
    switch (opcode, self.argument) {
    case (.ext1, _), (.ext2, _), (.ext4, _): argument = ""
    case (_, .number(let number)): argument = "\(number)"
    case (_, .names(let module, let name)): argument = module + " " + name
    default: argument = ""
    }
    return "\(offset) \(opcode.name) \(argument)".trimmed
  }
}

extension StringProtocol {
  fileprivate var trimmed: String {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

extension String {
  /// As Python's `unicode_escape` codec writes it.
  fileprivate var pythonEscaped: String {
    func hex(_ value: UInt32, _ width: Int) -> String {
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    return unicodeScalars.map { scalar in
      switch scalar {
      case "\\": "\\\\"
      case "\t": "\\t"
      case "\n": "\\n"
      case "\r": "\\r"
      case " "..."~": String(scalar)
      case ..."\u{FF}": "\\x" + hex(scalar.value, 2)
      case ..."\u{FFFF}": "\\u" + hex(scalar.value, 4)
      default: "\\U" + hex(scalar.value, 8)
      }
    }.joined()
  }
}
