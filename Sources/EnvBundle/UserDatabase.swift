/// The users and groups an image knows: its passwd(5) and group(5) files, parsed from their bytes. It reads no file and asks no host.

/// The accounts of an image and the resolution of `User` strings against them.
public struct UserDatabase: Sendable {
  struct Account: Sendable {
    let name: String
    let uid: UInt32
    let gid: UInt32
    let home: String
    let shell: String
  }

  struct Group: Sendable {
    let name: String
    let gid: UInt32
    let members: [String]
  }

  let accounts: [Account]
  let groups: [Group]

  /// Parses both files; lines that are not well formed are passed over, as the C library does.
  public init(passwd: [UInt8], group: [UInt8]) {
    accounts = Self.records(passwd).compactMap { fields in
      guard fields.count >= 6, let uid = UInt32(fields[2]), let gid = UInt32(fields[3]) else { return nil }
      return Account(name: fields[0], uid: uid, gid: gid, home: fields[5], shell: fields.count > 6 ? fields[6] : "")
    }
    groups = Self.records(group).compactMap { fields in
      guard fields.count >= 3, let gid = UInt32(fields[2]) else { return nil }
      let members = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
      return Group(name: fields[0], gid: gid, members: members)
    }
  }

  /// A user as numbers, with the home folder that belongs to it.
  public struct Resolved: Hashable, Sendable {
    public let user: RuntimeSpec.User
    public let home: String
  }

  /// Resolves `user`, `uid`, `user:group`, `uid:gid`, `uid:group`, `user:gid` (image-spec, config.md, "User"); empty is root.
  ///
  /// Without a group, the account's own and those that list it as a member apply; with one, only that, as the image-spec has it.
  /// - Throws: `BundleError.unknownUser` and `unknownGroup` for a name the image has no entry for; a number needs none.
  public func resolve(_ text: String) throws(BundleError) -> Resolved {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let name = parts.first ?? ""
    let number = name.isEmpty ? 0 : UInt32(name)
    // A name that is all digits is a number first, so that no passwd entry can redirect it.
    let account = accounts.first { number == nil ? $0.name == name : $0.uid == number }
    guard let uid = number ?? account?.uid else { throw .unknownUser(name) }
    let home = account.map(\.home).flatMap { $0.isEmpty ? nil : $0 } ?? "/"
    if parts.count == 2, !parts[1].isEmpty {
      return Resolved(user: RuntimeSpec.User(uid: uid, gid: try gid(of: parts[1])), home: home)
    }
    let gid = account?.gid ?? 0
    let additional = account.map { account in groups.filter { $0.members.contains(account.name) && $0.gid != gid }.map(\.gid) } ?? []
    return Resolved(user: RuntimeSpec.User(uid: uid, gid: gid, additionalGids: additional.isEmpty ? nil : additional.sorted()), home: home)
  }

  /// The program the account of `uid` names as its shell; nil where it names none.
  public func shell(ofUser uid: UInt32) -> String? {
    accounts.first { $0.uid == uid }.map(\.shell).flatMap { $0.isEmpty ? nil : $0 }
  }

  private func gid(of text: String) throws(BundleError) -> UInt32 {
    if let number = UInt32(text) { return number }
    guard let group = groups.first(where: { $0.name == text }) else { throw .unknownGroup(text) }
    return group.gid
  }

  private static func records(_ bytes: [UInt8]) -> [[String]] {
    bytes.split(separator: UInt8(ascii: "\n")).map { line in
      String(decoding: line, as: UTF8.self).split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    }
  }
}
