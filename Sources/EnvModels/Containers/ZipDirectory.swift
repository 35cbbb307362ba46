/// The members of a zip archive, read so strictly that every other reader must see the same ones. Inflating is Compression's.
import Compression
import EnvCore

/// Why an archive is not what every reader would agree on.
struct ZipFault: Error, Equatable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// One file in the archive.
struct ZipMember: Equatable {
  let name: String
  /// 0 stored, 8 deflated (APPNOTE 4.4.5).
  let method: UInt16
  let isEncrypted: Bool
  let crc32: UInt32
  let compressedSize: Int64
  let size: Int64
  /// Where the local header stands.
  let header: Int64
  /// Where the data begins.
  fileprivate(set) var data: Int64 = 0

  var end: Int64 { data + compressedSize }
}

/// The central directory (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5), held against the local headers.
///
/// A library that reads zips for users forgives a prefix, a gap, two directories or names that differ, each in its own way, and a file
/// can be made to show every reader another model. None of that is forgiven here.
struct ZipDirectory {
  private static let longestDirectory: Int64 = 64 << 20
  private static let endSize = 22
  /// With the longest comment, in bytes.
  private static let longestEnd: Int64 = 22 + 65535
  private static let endSignature: [UInt8] = [0x50, 0x4B, 5, 6]

  let members: [ZipMember]
  private let source: ByteSource

  /// - Throws: `ZipFault`, or what the source throws.
  init(_ source: ByteSource) throws {
    self.source = source
    let end = try Self.directory(of: source)
    guard end.size <= Self.longestDirectory else { throw ZipFault("its directory is longer than \(ByteCount(Self.longestDirectory))") }
    var fields = ByteFields(try source.bytes(at: end.offset, Int(end.size)))
    var members: [ZipMember] = []
    while !fields.isAtEnd { members.append(try Self.entry(&fields)) }
    guard members.count == end.count else { throw ZipFault("its directory lists \(members.count) members and counts \(end.count)") }
    try Self.place(&members, source, directory: end.offset)
    self.members = members
  }

  /// Whether some reader may find a zip's end record in the last bytes. Python's takes the last one there is, whatever follows it
  /// (zipfile, `_EndRecData`), so it is enough that a directory stands where that record says, or that no member is counted.
  static func mayEnd(_ source: ByteSource) throws -> Bool {
    if try endRecord(of: source) != nil { return true }
    let tail = try source.bytes(at: max(0, source.size - longestEnd), Int(longestEnd))
    guard tail.count >= endSize else { return false }
    let starts = stride(from: tail.count - endSize, through: 0, by: -1)
    guard let start = starts.first(where: { tail[$0...].starts(with: endSignature) }) else { return false }
    var fields = ByteFields(Array(tail[(start + 10)...]))
    let (count, size) = (try fields.number(2), Int64(try fields.number(4)))
    // A zip64 record says elsewhere where its directory stands.
    if count == 0 || size == 0xFFFF_FFFF { return true }
    let directory = source.size - Int64(tail.count - start) - size
    return try directory >= 0 && source.bytes(at: directory, 4).starts(with: [0x50, 0x4B, 1, 2])
  }

  /// The content of a member that is not compressed, in place.
  func stored(_ member: ZipMember) -> ByteSource { source.slice(from: member.data, size: member.size) }

  /// The content of a deflated member, which must not be larger than the caller has made sure.
  func inflated(_ member: ZipMember) throws -> ByteSource {
    let packed = try source.bytes(at: member.data, Int(member.compressedSize))
    return ByteSource(try inflate(packed, size: Int(member.size), crc32: member.crc32, object: "the member '\(member.name)'"))
  }

  /// The first `count` bytes of a deflated member.
  func beginning(of member: ZipMember, _ count: Int) throws -> ByteSource {
    let packed = try source.bytes(at: member.data, Int(min(member.compressedSize, Int64(4 * count))))
    return ByteSource(try inflate(beginning: packed, count: count, object: "the member '\(member.name)'"))
  }

  // MARK: End records

  private struct End {
    var offset: Int64
    var size: Int64
    var count: Int
  }

  /// The last end record, when its comment reaches exactly to the end of the file.
  private static func endRecord(of source: ByteSource) throws -> (offset: Int64, bytes: [UInt8])? {
    let tail = try source.bytes(at: max(0, source.size - longestEnd), Int(longestEnd))
    guard tail.count >= endSize else { return nil }
    for start in stride(from: tail.count - endSize, through: 0, by: -1) where tail[start...].starts(with: endSignature) {
      let comment = Int(tail[start + 20]) | Int(tail[start + 21]) << 8
      guard start + endSize + comment == tail.count else { return nil }
      return (source.size - Int64(tail.count - start), Array(tail[start...]))
    }
    return nil
  }

  private static func directory(of source: ByteSource) throws -> End {
    guard let record = try endRecord(of: source) else { throw ZipFault("it does not end with a zip's end record") }
    var fields = ByteFields(record.bytes)
    _ = try fields.number(4)
    guard try fields.number(4) == 0 else { throw ZipFault("it is one part of several") }
    let (here, all) = (try fields.number(2), try fields.number(2))
    let (size, offset) = (try fields.number(4), try fields.number(4))
    guard here == all else { throw ZipFault("it is one part of several") }
    var end = End(offset: Int64(offset), size: Int64(size), count: Int(all))
    var next = record.offset
    if let large = try largeEnd(of: source, before: record.offset) {
      // The short record says the same, or that it cannot say it.
      guard all == 0xFFFF || Int(all) == large.end.count, size == 0xFFFF_FFFF || Int64(size) == large.end.size,
        offset == 0xFFFF_FFFF || Int64(offset) == large.end.offset
      else { throw ZipFault("its two end records disagree") }
      end = large.end
      next = large.start
    }
    // Some readers take a difference here for a prefix that has been put before the archive.
    guard end.size <= next, end.offset == next - end.size else { throw ZipFault("its directory is not where its end record says") }
    return end
  }

  /// The zip64 end record that a locator right before the end record leads to.
  private static func largeEnd(of source: ByteSource, before end: Int64) throws -> (end: End, start: Int64)? {
    guard end >= 20 + 56 else { return nil }
    var locator = ByteFields(try source.bytes(at: end - 20, 20))
    guard try locator.number(4) == 0x0706_4B50 else { return nil }
    _ = try locator.number(4)
    let start = Int64(clamping: try locator.number(8))
    guard start == end - 20 - 56 else { throw ZipFault("its zip64 locator leads elsewhere") }
    var record = ByteFields(try source.bytes(at: start, 56))
    guard try record.number(4) == 0x0606_4B50, try record.number(8) == 44 else { throw ZipFault("its zip64 end record is damaged") }
    _ = try record.number(4)
    guard try record.number(8) == 0 else { throw ZipFault("it is one part of several") }
    let (here, all) = (try record.number(8), try record.number(8))
    guard here == all, all < 1 << 24 else { throw ZipFault("its zip64 end record is damaged") }
    let size = Int64(clamping: try record.number(8))
    return (End(offset: Int64(clamping: try record.number(8)), size: size, count: Int(all)), start)
  }

  // MARK: Members

  private static func entry(_ fields: inout ByteFields) throws -> ZipMember {
    guard try fields.number(4) == 0x0201_4B50 else { throw ZipFault("its directory is damaged") }
    _ = try fields.number(4)
    let (flags, method) = (try fields.number(2), try fields.number(2))
    _ = try fields.number(4)
    let crc = UInt32(try fields.number(4))
    let (packed, plain) = (try fields.number(4), try fields.number(4))
    let lengths = (name: Int(try fields.number(2)), extra: Int(try fields.number(2)), comment: Int(try fields.number(2)))
    guard try fields.number(2) == 0 else { throw ZipFault("it is one part of several") }
    _ = try fields.number(6)
    let header = try fields.number(4)
    let name = try fields.take(lengths.name)
    var extra = try Zip64Extra(try fields.take(lengths.extra))
    _ = try fields.take(lengths.comment)
    // Order and presence as section 4.5.3 has it.
    let size = try extra.value(plain)
    let compressedSize = try extra.value(packed)
    let offset = try extra.value(header)
    guard let name = String(validating: name, as: UTF8.self), !name.isEmpty, !name.utf8.contains(0) else {
      throw ZipFault("a member's name is empty, holds NUL or is not UTF-8")
    }
    guard method != 0 || size == compressedSize else { throw ZipFault("the stored member '\(name)' has two sizes") }
    return ZipMember(
      name: name, method: UInt16(method), isEncrypted: flags & 1 != 0, crc32: crc, compressedSize: compressedSize, size: size,
      header: offset)
  }

  /// Finds each member's data behind its local header, and sees that members follow one another with nothing between.
  private static func place(_ members: inout [ZipMember], _ source: ByteSource, directory: Int64) throws {
    var end: Int64 = 0
    for index in members.indices.sorted(by: { members[$0].header < members[$1].header }) {
      let member = members[index]
      // A data descriptor of at most 24 bytes (section 4.3.9) may stand between two members.
      guard member.header >= end, member.header - end <= (end == 0 ? 0 : 24) else {
        throw ZipFault("before the member '\(member.name)' stand bytes that belong to none, or to two")
      }
      guard member.header < directory else { throw ZipFault("the member '\(member.name)' lies outside the archive") }
      members[index].data = try data(of: member, source)
      end = members[index].end
      guard end <= directory else { throw ZipFault("the member '\(member.name)' lies outside the archive") }
    }
    guard directory - end <= (members.isEmpty ? 0 : 24) else { throw ZipFault("before its directory stand bytes that belong to no member") }
  }

  private static func data(of member: ZipMember, _ source: ByteSource) throws -> Int64 {
    var fields = ByteFields(try source.bytes(at: member.header, 30))
    guard try fields.number(4) == 0x0403_4B50 else { throw ZipFault("the member '\(member.name)' has no local header") }
    _ = try fields.number(2)
    let (flags, method) = (try fields.number(2), try fields.number(2))
    _ = try fields.number(4)
    let (crc, packed, plain) = (try fields.number(4), try fields.number(4), try fields.number(4))
    let (nameLength, extraLength) = (Int(try fields.number(2)), Int(try fields.number(2)))
    let name = try source.bytes(at: member.header + 30, nameLength)
    // With bit 3 the values stand behind the data; 0xFFFFFFFF means that zip64 has them.
    let isStreamed = flags & 8 != 0
    func agrees(_ local: UInt64, _ central: Int64) -> Bool { isStreamed || local == 0xFFFF_FFFF || Int64(local) == central }
    guard name.elementsEqual(member.name.utf8), method == UInt64(member.method), (flags & 1 != 0) == member.isEncrypted,
      agrees(packed, member.compressedSize), agrees(plain, member.size), isStreamed || crc == UInt64(member.crc32)
    else { throw ZipFault("the member '\(member.name)' is another one in its local header") }
    let (start, overflow) = member.header.addingReportingOverflow(Int64(30 + nameLength + extraLength))
    guard !overflow, !start.addingReportingOverflow(member.compressedSize).overflow else {
      throw ZipFault("the member '\(member.name)' lies outside the archive")
    }
    return start
  }
}

/// The zip64 extra field (section 4.5.3): 64-bit values for those fields that say 0xFFFFFFFF, in their order.
private struct Zip64Extra {
  private var values: ByteFields

  init(_ extra: ArraySlice<UInt8>) throws {
    var fields = ByteFields(Array(extra))
    var found: [UInt8] = []
    while fields.remaining >= 4 {
      let (id, size) = (try fields.number(2), Int(try fields.number(2)))
      let content = try fields.take(size)
      if id == 1 {
        guard found.isEmpty else { throw ZipFault("a member has two zip64 fields") }
        found = Array(content)
      }
    }
    values = ByteFields(found)
  }

  mutating func value(_ short: UInt64) throws -> Int64 {
    let value = short == 0xFFFF_FFFF ? try values.number(8) : short
    guard let value = Int64(exactly: value) else { throw ZipFault("a member's size or place is out of range") }
    return value
  }
}

/// Little-endian numbers one after the other.
private struct ByteFields {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var remaining: Int { bytes.count - offset }
  var isAtEnd: Bool { remaining == 0 }

  mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count <= remaining else { throw ZipFault("it ends in the middle of a record") }
    defer { offset += count }
    return bytes[offset..<offset + count]
  }

  mutating func number(_ width: Int) throws -> UInt64 { try take(width).reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
