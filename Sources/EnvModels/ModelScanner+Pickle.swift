/// Pickles that stand by themselves, one after the other, or at the beginning of PyTorch's older forms.
import Archive
import EnvCore

extension SourceScan {
  /// The first pickle of the form torch.save had before 1.6: the number 0x1950a86a20f9469cfc6c (torch/serialization.py, MAGIC_NUMBER).
  private static let torchMagic: [UInt8] = [0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

  /// Walks what may be pickles.
  ///
  /// - Parameter isExpected: Whether programs would unpickle it by its name. Otherwise bytes that no unpickler gets through, and that
  ///   would have called nothing until then, are some other format.
  mutating func lookForPickles(_ source: ByteSource, isExpected: Bool, member: String?) throws -> ModelScan.Format {
    let start = try source.bytes(at: 0, 32)
    let isClaimed = isExpected || (start.count >= 2 && start[0] == PickleOpcode.proto.rawValue && start[1] <= 5)
    var machine = PickleMachine(source, member: member)
    switch try machine.run() {
    case .stopped(let end):
      if try !isClaimed && !machine.hasCalls && end < source.size && !mayBePickle(source, from: end) { return .unrecognised }
      collector.merge(machine.collector)
      if start.contains(Self.torchMagic) { return try walkLegacyTorch(&machine, source, member: member) }
      try walkSequence(&machine, from: end, of: source.size, member: member)
    case .faulty(let fault):
      guard isClaimed || machine.hasCalls || !fault.isCertain else { return .unrecognised }
      collector.merge(machine.collector)
      report(fault, member: member)
    }
    return .pickle
  }

  /// Whether an unpickler would do more with what stands there than refuse it: a few bytes of any file may happen to be a pickle.
  func mayBePickle(_ source: ByteSource, from start: Int64 = 0) throws -> Bool {
    var machine = PickleMachine(source, at: start, member: nil)
    guard case .faulty(let fault) = try machine.run() else { return true }
    return machine.hasCalls || !fault.isCertain
  }

  /// Walks a pickle that must be there, and those behind it.
  mutating func walkSequence(_ source: ByteSource, from start: Int64, member: String?) throws {
    var machine = PickleMachine(source, at: start, member: member)
    let ending = try machine.run()
    collector.merge(machine.collector)
    switch ending {
    case .stopped(let end): try walkSequence(&machine, from: end, of: source.size, member: member)
    case .faulty(let fault): report(fault, member: member)
    }
  }

  /// Walks pickles to the end of the source: a program may read any number of them from one file.
  private mutating func walkSequence(_ machine: inout PickleMachine, from start: Int64, of size: Int64, member: String?) throws {
    var offset = start
    for _ in 0..<PickleMachine.mostValues {
      guard offset < size else { return }
      let ending = try machine.run()
      switch ending {
      case .stopped(let end):
        collector.merge(machine.collector)
        offset = end
      case .faulty(let fault):
        if machine.hasCalls || !fault.isCertain { collector.merge(machine.collector) }
        if !fault.isCertain { report(fault, member: member) }
        return add(.hidden, member, offset: offset, message: "what follows is no whole pickle: \(fault.reason)")
      }
    }
    add(.limit, member, offset: offset, message: "more pickles follow than are looked through")
  }

  mutating func report(_ fault: PickleFault, member: String?) {
    let kind = fault.isCertain ? ModelFinding.Kind.malformed : .limit
    add(kind, member, offset: fault.offset, message: "its pickle cannot be followed: \(fault.reason)")
  }

  /// Magic number, version, system, objects, keys of the storages: five pickles, and then the storages' bytes, which no one unpickles.
  private mutating func walkLegacyTorch(_ machine: inout PickleMachine, _ source: ByteSource, member: String?) throws -> ModelScan.Format {
    var end: Int64 = 0
    for _ in 1..<5 {
      let ending = try machine.run()
      collector.merge(machine.collector)
      switch ending {
      case .stopped(let place): end = place
      case .faulty(let fault):
        report(fault, member: member)
        return .torchLegacy
      }
    }
    // A program that reads pickle after pickle, and not as torch.load does, would go on here.
    var next = PickleMachine(source, at: end, member: member)
    _ = try next.run()
    if next.hasCalls {
      collector.merge(next.collector)
      add(.hidden, member, offset: end, message: "another pickle stands where the raw bytes of the storages belong")
    }
    return .torchLegacy
  }

  /// Whether Python's tarfile would take the block for a header: its checksum is right, in any form that int() reads (tarfile.nti).
  static func isTarHeader(_ block: [UInt8]) -> Bool {
    guard block.count == 512, let stated = tarNumber(block[148..<156]) else { return false }
    let others = block[..<148] + block[156...]
    let unsigned = others.reduce(256) { $0 + Int64($1) }
    let signed = others.reduce(256) { $0 + Int64(Int8(bitPattern: $1)) }
    return stated == unsigned || stated == signed
  }

  private static func tarNumber(_ field: ArraySlice<UInt8>) -> Int64? {
    if field.first == 0x80 || field.first == 0xFF {
      return field.dropFirst().reduce(field.first == 0xFF ? -1 : 0) { $0 << 8 | Int64($1) }
    }
    var digits = String(decoding: field.prefix { $0 != 0 }, as: UTF8.self).filter { !$0.isWhitespace && $0 != "_" && $0 != "+" }
    if digits.hasPrefix("0o") || digits.hasPrefix("0O") { digits.removeFirst(2) }
    return Int64(digits, radix: 8)
  }

  /// A tar archive. PyTorch's form of before 0.1.10 is one, with pickles that stand between the storages' bytes.
  mutating func lookIntoTar(_ source: ByteSource, ending: String, member: String?, depth: Int) throws -> ModelScan.Format {
    var isTorch = ending != "tar"
    if try lookForPickles(source, isExpected: false, member: member) != .unrecognised {
      add(.hidden, member, message: "it is a pickle and a tar archive at once")
    }
    guard depth == 0 else {
      add(.unsupported, member, message: "a tar archive inside another archive is not looked into")
      return .tar
    }
    do {
      var reader = try ArchiveReader(opening: file.string, format: .tar)
      while let entry = try reader.next() {
        isTorch = isTorch || ["pickle", "storages", "tensors"].contains(entry.path)
        if entry.kind == .file { try look(at: entry, &reader) }
      }
    } catch let error as ArchiveError {
      add(.malformed, member, message: "its tar archive cannot be read: \(error.summary)")
    }
    guard isTorch else { return .tar }
    add(
      .unsupported, member,
      message:
        "it is a tar archive, which torch.load takes for its oldest form: pickles stand between raw bytes there and cannot all be found")
    return .torchTar
  }

  private mutating func look(at entry: ArchiveEntry, _ reader: inout ArchiveReader) throws {
    guard entry.size <= min(Self.largestInflated, inflatable) else {
      return add(.limit, entry.path, message: "its \(ByteCount(entry.size)) are more than is looked through in a tar archive")
    }
    inflatable -= entry.size
    let content = ByteSource(try reader.readAll(limit: Int(Self.largestInflated)))
    _ = try look(content, name: entry.path, member: entry.path, depth: 1)
  }
}

extension Array where Element == UInt8 {
  /// Whether the bytes stand in here one after the other.
  fileprivate func contains(_ sequence: [UInt8]) -> Bool {
    count >= sequence.count && (0...count - sequence.count).contains { self[$0...].starts(with: sequence) }
  }
}
