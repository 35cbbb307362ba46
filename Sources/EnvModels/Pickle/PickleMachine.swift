/// Follows a pickle the way an unpickler would, with names in the place of objects. Nothing is imported, made or called.
import EnvCore

/// The stack, the marks and the memo of an unpickler (CPython's Modules/_pickle.c), holding only what names something.
///
/// It must know at every instruction which string is where: STACK_GLOBAL takes module and name from the stack, where the memo may have
/// put them. So an instruction an unpickler would refuse ends the walk, and one that is not followed exactly is told.
struct PickleMachine {
  /// What a place of the stack holds, as far as it matters.
  enum Value {
    case string(String)
    /// An imported name, as an index of `globals`.
    case global(Int)
    /// What a call of that name returned.
    case made(Int)
    /// What the loading program supplies: a persistent object, or a name that is not resolved here.
    case unknown
    /// A number, a container, or text that names nothing: nothing that can be called.
    case other
  }

  enum Ending: Equatable {
    /// STOP, and the offset behind it.
    case stopped(Int64)
    case faulty(PickleFault)
  }

  /// More than any model has; a bound for memory.
  static let mostValues = 1 << 20
  /// Bytes of strings that are kept because they might name something.
  private static let mostText = 32 << 20

  private let member: String?
  private let limit: Int
  private var reader: PickleReader
  private var stack: [Value] = []
  /// Heights of the stack, lowest first. Nothing below the last one can be reached.
  private var marks: [Int] = []
  private var memo: [UInt64: Value] = [:]
  private var globals: [PickleGlobal] = []
  private var indices: [PickleGlobal: Int] = [:]
  private var keptText = 0
  /// Where the frame ends that the last FRAME began; 0 outside.
  private var frameEnd: Int64 = 0

  private(set) var collector = FindingCollector()
  /// Whether anything was called that is not known to be harmless.
  private(set) var hasCalls = false

  /// `limit` bounds the values on the stack, in the memo, and so on.
  init(_ source: ByteSource, at offset: Int64 = 0, member: String?, limit: Int = mostValues) {
    self.member = member
    self.limit = limit
    reader = PickleReader(source, at: offset)
  }

  /// Walks to STOP or as far as it goes. Called again, it goes on behind STOP as an unpickler does: with nothing of what came before.
  ///
  /// - Parameter visit: Called with each instruction before it takes effect.
  /// - Throws: What the source throws.
  mutating func run(_ visit: (PickleInstruction) -> Void = { _ in }) throws -> Ending {
    (stack, marks, memo, keptText, frameEnd, hasCalls) = ([], [], [:], 0, 0, false)
    collector = FindingCollector()
    collector.pickles = 1
    do {
      while true {
        let instruction = try reader.next()
        visit(instruction)
        checkFrame(instruction)
        if instruction.opcode == .stop {
          _ = try pop(instruction)
          return .stopped(reader.offset)
        }
        try execute(instruction)
        try requireBounds(instruction)
      }
    } catch let fault as PickleFault {
      return .faulty(fault)
    }
  }

  /// Memory stays what it is however long the stream is.
  private func requireBounds(_ instruction: PickleInstruction) throws {
    let most = max(stack.count, marks.count, memo.count, 8 * globals.count)
    guard most <= limit else {
      throw PickleFault("its stack, marks, memo or names are more than \(limit)", at: instruction.offset, isCertain: false)
    }
  }

  // MARK: Stack

  private var fence: Int { marks.last ?? 0 }

  private mutating func pop(_ instruction: PickleInstruction) throws -> Value {
    guard stack.count > fence, let value = stack.popLast() else { throw underflow(instruction) }
    return value
  }

  private func top(_ instruction: PickleInstruction) throws -> Value {
    guard stack.count > fence, let value = stack.last else { throw underflow(instruction) }
    return value
  }

  /// Drops everything above the last mark, and the mark; returns how much it was, and the lowest of it.
  private mutating func popMark(_ instruction: PickleInstruction) throws -> (count: Int, first: Value?) {
    guard let mark = marks.popLast() else { throw PickleFault("\(instruction.opcode.name) finds no mark", at: instruction.offset) }
    let dropped = (stack.count - mark, stack.count > mark ? stack[mark] : nil)
    stack.removeLast(dropped.0)
    return dropped
  }

  private mutating func drop(_ count: Int, _ instruction: PickleInstruction) throws {
    for _ in 0..<count { _ = try pop(instruction) }
  }

  private func underflow(_ instruction: PickleInstruction) -> PickleFault {
    PickleFault("\(instruction.opcode.name) finds nothing on the stack", at: instruction.offset)
  }

  // MARK: Instructions

  private mutating func execute(_ instruction: PickleInstruction) throws {
    switch instruction.opcode {
    case .stop, .frame: break
    case .proto:
      guard case .number(...5) = instruction.argument else { throw PickleFault("its protocol is newer than 5", at: instruction.offset) }
    case .mark: marks.append(stack.count)
    case .pop:
      // An unpickler takes a mark off as well when one is on top.
      if marks.last == stack.count { marks.removeLast() } else { try drop(1, instruction) }
    case .popMark: _ = try popMark(instruction)
    case .dup: stack.append(try top(instruction))
    case .float, .int, .binint, .binint1, .long, .binint2, .none, .binfloat, .newtrue, .newfalse, .long1, .long4, .binbytes, .shortBinbytes,
      .binbytes8, .bytearray8, .emptyDict, .emptyList, .emptyTuple, .emptySet, .nextBuffer:
      stack.append(.other)
    case .persid: stack.append(.unknown)
    case .string, .binstring, .shortBinstring, .unicode, .binunicode, .shortBinunicode, .binunicode8: pushText(instruction)
    case .tuple, .list, .frozenset:
      _ = try popMark(instruction)
      stack.append(.other)
    case .dict:
      try requirePairs(try popMark(instruction).count, instruction)
      stack.append(.other)
    case .tuple1: try replace(1, instruction)
    case .tuple2: try replace(2, instruction)
    case .tuple3: try replace(3, instruction)
    case .binpersid:
      try drop(1, instruction)
      stack.append(.unknown)
    case .readonlyBuffer: _ = try top(instruction)
    case .append: try change(dropping: 1, instruction)
    case .setitem: try change(dropping: 2, instruction)
    case .build: try change(dropping: 1, instruction)
    case .appends, .additems: _ = try changeToMark(instruction)
    case .setitems: try requirePairs(try changeToMark(instruction), instruction)
    case .put, .binput, .longBinput, .memoize: try memoize(instruction)
    case .get, .binget, .longBinget: try recall(instruction)
    case .global, .inst, .stackGlobal, .ext1, .ext2, .ext4: try importName(instruction)
    case .reduce: try call(dropping: 1, instruction)
    case .newobj: try call(dropping: 1, instruction)
    case .newobjEx: try call(dropping: 2, instruction)
    case .obj:
      guard let callee = try popMark(instruction).first else { throw underflow(instruction) }
      try call(callee, instruction)
    }
  }

  private mutating func replace(_ count: Int, _ instruction: PickleInstruction) throws {
    try drop(count, instruction)
    stack.append(.other)
  }

  private mutating func pushText(_ instruction: PickleInstruction) {
    guard case .text(let text?) = instruction.argument, keptText + text.utf8.count <= Self.mostText else { return stack.append(.other) }
    keptText += text.utf8.count
    stack.append(.string(text))
  }

  private func requirePairs(_ count: Int, _ instruction: PickleInstruction) throws {
    guard count.isMultiple(of: 2) else { throw PickleFault("a key has no value", at: instruction.offset) }
  }

  private mutating func memoize(_ instruction: PickleInstruction) throws {
    let value = try top(instruction)
    if case .number(let key) = instruction.argument { memo[key] = value } else { memo[UInt64(memo.count)] = value }
  }

  private mutating func recall(_ instruction: PickleInstruction) throws {
    guard case .number(let key) = instruction.argument, let value = memo[key] else {
      throw PickleFault("\(instruction.opcode.name) names a memo entry that is not there", at: instruction.offset)
    }
    stack.append(value)
  }

  // MARK: What matters

  private mutating func importName(_ instruction: PickleInstruction) throws {
    switch (instruction.opcode, instruction.argument) {
    case (.global, .names(let module, let name)): stack.append(.global(see(PickleGlobal(module: module, name: name), instruction)))
    case (.inst, .names(let module, let name)):
      _ = try popMark(instruction)
      try call(.global(see(PickleGlobal(module: module, name: name), instruction)), instruction)
    case (.stackGlobal, _):
      let (name, module) = (try pop(instruction), try pop(instruction))
      if case .string(let module) = module, case .string(let name) = name {
        stack.append(.global(see(PickleGlobal(module: module, name: name), instruction)))
      } else {
        report(.unresolved, instruction, "the name it imports is computed")
        stack.append(.unknown)
      }
    case (_, .number(let code)):
      // What a code stands for is registered in the loading process (copyreg.add_extension).
      report(.unresolved, instruction, "the name it imports is that of extension code \(code)")
      stack.append(.unknown)
    default: preconditionFailure("the reader gives every import its argument")
    }
  }

  /// Remembers an imported name and reports it unless it is known.
  private mutating func see(_ global: PickleGlobal, _ instruction: PickleInstruction) -> Int {
    collector.note(global: global.description)
    if !global.isKnown { report(.global, instruction, "it imports \(global)", global: global) }
    if let index = indices[global] { return index }
    indices[global] = globals.count
    globals.append(global)
    return globals.count - 1
  }

  private mutating func call(dropping count: Int, _ instruction: PickleInstruction) throws {
    try drop(count, instruction)
    try call(try pop(instruction), instruction)
  }

  private mutating func call(_ callee: Value, _ instruction: PickleInstruction) throws {
    switch callee {
    case .global(let index):
      // The import has been reported, when there is something to report.
      if !globals[index].isKnown { hasCalls = true }
      stack.append(.made(index))
    case .made(let index):
      hasCalls = true
      report(.call, instruction, "it calls what \(globals[index]) returned", global: globals[index])
      stack.append(.made(index))
    case .unknown:
      hasCalls = true
      report(.call, instruction, "it calls what the loading program supplies")
      stack.append(.unknown)
    case .string, .other: throw PickleFault("\(instruction.opcode.name) finds nothing that can be called", at: instruction.offset)
    }
  }

  /// An instruction that drops values and changes what is below them.
  private mutating func change(dropping count: Int, _ instruction: PickleInstruction) throws {
    try drop(count, instruction)
    requireInstance(try top(instruction), instruction)
  }

  /// The same for everything above the last mark; returns how much it was.
  private mutating func changeToMark(_ instruction: PickleInstruction) throws -> Int {
    let count = try popMark(instruction).count
    requireInstance(try top(instruction), instruction)
    return count
  }

  /// BUILD on a class sets the attributes of the class (its state may be a pair whose second part goes through setattr).
  private mutating func requireInstance(_ target: Value, _ instruction: PickleInstruction) {
    guard case .global(let index) = target else { return }
    hasCalls = true
    report(.mutation, instruction, "it changes \(globals[index]) itself")
  }

  /// C's unpickler passes over frames; Python's keeps to them. Where both do not mean the same, neither is followed.
  private mutating func checkFrame(_ instruction: PickleInstruction) {
    let isInside = instruction.offset < frameEnd
    if isInside, reader.offset > frameEnd || instruction.opcode == .frame {
      report(.malformed, instruction, "it does not keep to its frame")
      frameEnd = 0
    }
    guard instruction.opcode == .frame, case .number(let length) = instruction.argument else { return }
    if length > UInt64(max(0, reader.remaining)) {
      report(.malformed, instruction, "its frame is longer than the stream")
    } else {
      frameEnd = reader.offset + Int64(length)
    }
  }

  private mutating func report(
    _ kind: ModelFinding.Kind, _ instruction: PickleInstruction, _ message: String, global: PickleGlobal? = nil
  ) {
    collector.add(
      ModelFinding(
        kind, member: member, offset: instruction.offset, opcode: instruction.opcode.name, global: global?.description, message: message))
  }
}
