/// Pickles made by hand to do harm, to hide, or to fill memory: each ends in the finding that names it.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvModels

@Suite struct HostilePickleTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    /// The first finding: kind, opcode, byte, global.
    let kind: ModelFinding.Kind
    let opcode: String?
    let offset: Int64?
    let global: String?
    var testDescription: String { name }

    init(_ name: String, _ bytes: [UInt8], _ kind: ModelFinding.Kind, _ opcode: String?, _ offset: Int64?, _ global: String? = nil) {
      (self.name, self.bytes, self.kind, self.opcode, self.offset, self.global) = (name, bytes, kind, opcode, offset, global)
    }
  }

  private static let call = [UInt8].string("id") + [0x85, 0x52]
  private static let proto4: [UInt8] = [0x80, 4]

  static let cases: [Case] = [
    Case("GLOBAL", .text("cos\nsystem\n(S'id'\ntR."), .global, "GLOBAL", 0, "os.system"),
    Case("GLOBAL in protocol 2", [0x80, 2] + .text("cposix\nsystem\n") + call + .text("."), .global, "GLOBAL", 2, "posix.system"),
    Case("INST", .text("(S'id'\nios\nsystem\n."), .global, "INST", 7, "os.system"),
    Case("OBJ", .text("(cos\nsystem\nS'id'\no."), .global, "GLOBAL", 1, "os.system"),
    Case(
      "NEWOBJ", [0x80, 2] + .text("csubprocess\nPopen\n") + .string("id") + [0x85, 0x81, 0x2E], .global, "GLOBAL", 2, "subprocess.Popen"),
    Case(
      "NEWOBJ_EX", proto4 + .string("a") + .string("B") + [0x93, 0x29, 0x7D, 0x92, 0x2E], .global,
      "STACK_GLOBAL", 8, "a.B"),
    Case("STACK_GLOBAL", proto4 + .string("os") + .string("system") + [0x93] + call + [0x2E], .global, "STACK_GLOBAL", 14, "os.system"),
    Case(
      "STACK_GLOBAL through the memo",
      proto4 + .string("system") + [0x94] + .string("os") + [0x94, 0x30, 0x30, 0x68, 1, 0x68, 0, 0x93, 0x2E],
      .global, "STACK_GLOBAL", 22, "os.system"),
    Case(
      "through the memo, with PUT and MEMOIZE mixed",
      proto4 + .string("nothing") + [0x71, 5, 0x30] + .string("os") + [0x94, 0x30] + .string("system") + [
        0x94, 0x30, 0x68, 1, 0x68, 2, 0x93, 0x2E,
      ],
      .global, "STACK_GLOBAL", 34, "os.system"),
    Case(
      "through old strings", proto4 + .text("S'os'\n") + [0x55, 6] + .text("system") + [0x93, 0x2E], .global, "STACK_GLOBAL", 16,
      "os.system"),
    Case("DUP of a string", proto4 + .string("os") + [0x32, 0x93, 0x2E], .global, "STACK_GLOBAL", 7, "os.os"),
    Case("a dotted name", proto4 + .string("torch") + .string("os.system") + [0x93, 0x2E], .global, "STACK_GLOBAL", 20, "torch.os.system"),
    Case(
      "an escaped name", proto4 + .text("S'o\\x73'\n") + .string("system") + [0x93, 0x2E], .unresolved, "STACK_GLOBAL", 19),
    Case(
      "a computed name", proto4 + .text("cbuiltins\nstr\n") + call + .string("system") + [0x93, 0x2E], .unresolved, "STACK_GLOBAL", 30),
    Case("EXT1", [0x80, 2, 0x82, 7, 0x29, 0x52, 0x2E], .unresolved, "EXT1", 2),
    Case("EXT2", [0x80, 2, 0x83, 7, 1, 0x2E], .unresolved, "EXT2", 2),
    Case("EXT4", [0x80, 2, 0x84, 7, 0, 0, 1, 0x2E], .unresolved, "EXT4", 2),
    Case(
      "a call of what a call returned", .text("ccollections\nOrderedDict\n)R)R."), .call, "REDUCE", 28, "collections.OrderedDict"),
    Case("a call of a persistent object", .text("Pid\n)R."), .call, "REDUCE", 5),
    Case("a call of what is not callable", .text("S'os'\n)R."), .malformed, nil, 7),
    Case("BUILD on a class", .text("ccollections\nOrderedDict\n(N(S'x'\nS'y'\ndtb."), .mutation, "BUILD", 40),
    Case("SETITEM on a class", .text("ccollections\nOrderedDict\nS'x'\nNs."), .mutation, "SETITEM", 31),
    Case("unpickling inside", .text("ctorch.storage\n_load_from_bytes\n."), .global, "GLOBAL", 0, "torch.storage._load_from_bytes"),
    Case("a known module's other name", .text("cnumpy\nfromfile\n."), .global, "GLOBAL", 0, "numpy.fromfile"),
    Case("what was called before the stream breaks", .text("cos\nsystem\n(S'id'\ntR\u{0}"), .global, "GLOBAL", 0, "os.system"),
    Case("a second pickle", .text("N.cos\nsystem\n(S'id'\ntR."), .global, "GLOBAL", 2, "os.system"),
    Case("bytes behind the pickle", .text("N.!"), .hidden, nil, 2),
    Case("truncated", [0x80, 4, 0x8C, 9, 0x61], .malformed, nil, 2),
    Case("without STOP", [0x80, 4, 0x4E], .malformed, nil, 3),
    Case("an unknown opcode", [0x80, 4, 0xFF], .malformed, nil, 2),
    Case("a newer protocol", [0x80, 6, 0x4E, 0x2E], .malformed, nil, 0),
    Case("a length beyond everything", [0x80, 4, 0x8E] + .number(UInt64.max, 8) + [0x2E], .malformed, nil, 2),
    Case("a negative length", .text("T") + .number(-1, 4) + [0x2E], .malformed, nil, 0),
    Case("an empty stack", .text("0."), .malformed, nil, 0),
    Case("no mark", .text("t."), .malformed, nil, 0),
    Case("an empty memo", .text("h\u{1}."), .malformed, nil, 0),
    Case("a key without value", .text("}(NNNu."), .malformed, nil, 5),
    Case("a memo number no reader need take for one", .text("Np 1\n."), .limit, nil, 1),
    Case("a name without end", .text("c" + String(repeating: "a", count: 600) + "\nb\n."), .limit, nil, 0),
    Case("a frame beyond the end", [0x80, 4, 0x95] + .number(99, 8) + [0x4E, 0x2E], .malformed, "FRAME", 2),
    Case("a frame that ends inside", [0x80, 4, 0x95] + .number(1, 8) + .string("ab") + [0x2E], .malformed, "SHORT_BINUNICODE", 11),
  ]

  @Test(arguments: cases) func hostile(_ example: Case) throws {
    let scan = try scan(example.bytes)
    let first = try #require(scan.findings.first, "\(scan)")
    #expect(first.kind == example.kind, "\(scan.findings)")
    #expect(first.opcode == example.opcode, "\(scan.findings)")
    #expect(first.offset == example.offset, "\(scan.findings)")
    #expect(first.global == example.global, "\(scan.findings)")
    #expect(scan.format == .pickle)
  }

  @Test("a pickle under any name is one, and any other bytes are none") func byContent() throws {
    #expect(try scan(.text("cos\nsystem\n(S'id'\ntR."), "weights.bin").findings.first?.global == "os.system")
    #expect(try scan(.text("cos\nsystem\n(S'id'\ntRjunk"), "notes.txt").findings.first?.global == "os.system")
    for text in ["cats\nand dogs\n", "(in brackets)\n", "I am.\n", "N.and more", "", ".\n", "{\"json\": 1}", "\u{0}\u{0}\u{0}\u{0}"] {
      let scan = try scan(.text(text), "vocabulary.txt")
      #expect(scan.format == .unrecognised && scan.findings == [], "\(text): \(scan)")
      #expect(try !EnvModelsTests.scan(.text(text), "model.pt").findings.isEmpty, "\(text)")
    }
  }

  @Test("a compressed pickle is told by its name", arguments: ["model.pkl.gz", "model.joblib", "weights.pdparams"]) func packed(
    _ name: String
  ) throws {
    #expect(try scan([0x1F, 0x8B, 8, 0], name).findings.map(\.kind) == [.unsupported])
    #expect(try scan([0x1F, 0x8B, 8, 0], "vocabulary.txt.gz").findings == [])
  }

  @Test("every cut of a pickle ends in one finding, and never in silence") func cuts() throws {
    let whole =
      Self.proto4 + .string("collections") + .string("OrderedDict") + [0x93, 0x29, 0x52, 0x28] + .string("a") + [0x4B, 1, 0x75, 0x2E]
    #expect(try scan(whole).findings == [])
    for length in 0..<whole.count {
      let scan = try scan(Array(whole[..<length]))
      #expect(scan.findings.count == 1 && scan.findings[0].kind == .malformed, "\(length): \(scan.findings)")
    }
  }

  static let bombs: [[UInt8]] = {
    func repeated(_ opcode: UInt8) -> [UInt8] { [UInt8](repeating: opcode, count: 9000) }
    var memo: [UInt8] = [0x4E]
    var names: [UInt8] = []
    for index in 0..<9000 {
      memo += [0x72] + .number(index, 4)
      names += .text("cm\nn\(index)\n0")
    }
    return [repeated(0x28), repeated(0x4E), [0x5D] + repeated(0x32), memo, names]
  }()

  @Test("deep and wide pickles keep memory in bounds and end there", arguments: bombs) func outOfBounds(_ bytes: [UInt8]) throws {
    var machine = PickleMachine(ByteSource(bytes), member: nil, limit: 4096)
    guard case .faulty(let fault) = try machine.run() else { Issue.record("it was followed to the end"); return }
    #expect(!fault.isCertain && fault.offset < bytes.count - 1 && fault.reason.contains("more than 4096"))
  }

  @Test("what bounds a walk is told, whatever the file is called") func bound() throws {
    let scan = try scan([UInt8](repeating: 0x28, count: PickleMachine.mostValues + 2), "vocabulary.txt")
    #expect(scan.findings.map(\.kind) == [.limit])
    // A number far beyond makes no table of that size.
    #expect(try EnvModelsTests.scan([0x4E, 0x72] + .number(UInt32.max, 4) + [0x2E]).findings == [])
  }

  @Test("nesting without end is no recursion") func nesting() throws {
    #expect(try scan([0x4E] + [UInt8](repeating: 0x85, count: 200_000) + [0x2E]).findings == [])
  }

  @Test("the same finding is listed once and counted; a flood of names does not hide one") func repetition() throws {
    let one = [UInt8].text("cos\nsystem\n0")
    let scan = try scan((0..<500).flatMap { _ in one } + .text("N."))
    #expect(scan.findings.count == 1 && scan.findings[0].count == 500)
    let many = (0..<1500).flatMap { [UInt8].text("cm\nn\($0)\n0") } + .text("N.")
    let flood = try EnvModelsTests.scan(many)
    #expect(flood.findings.count == 1001 && flood.findings.last?.kind == .limit)
    #expect(!flood.judged(allowing: (0..<1500).map { "m.n\($0)" }).refused.isEmpty)
  }

  @Test func allowing() throws {
    let scan = try scan(.text("cmine\nLayer\n)R)Rcos\nsystem\n."))
    #expect(scan.globals == ["mine.Layer", "os.system"])
    #expect(scan.judged(allowing: []).refused.count == 3)
    #expect(scan.judged(allowing: ["mine.Layer"]).refused.map(\.global) == ["os.system"])
    #expect(scan.judged(allowing: ["mine.Layer"]).allowed.map(\.kind) == [.global, .call])
    #expect(scan.judged(allowing: ["mine.Layer", "os.system"]).refused == [])
  }

  @Test func whatIsNoFile() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: ModelError.self) { try ModelScanner().scan(folder) }
      #expect(error?.summary == "'\(folder)' is a folder, not a model's file")
      #expect(error?.exitCode == .usage)
      let missing = #expect(throws: ModelError.self) { try ModelScanner().scan(folder.appending("none.pt")) }
      #expect(missing?.exitCode == .failed)
    }
  }
}
