/// dpkg's database (/var/lib/dpkg), so that `dpkg -l`, `dpkg -L`, `dpkg --verify` and vulnerability scanners know what the image holds.
import EnvCore
import SafeFS

enum DpkgDatabase {
  /// The status file: each package's control paragraph with its state, by name.
  ///
  /// Hashes of configuration files are left out, as dpkg itself does until it has configured a package.
  static func status(_ installed: [DebianControl]) -> [UInt8] {
    let sorted = installed.sorted { $0.databaseName.utf8.lexicographicallyPrecedes($1.databaseName.utf8) }
    return Array(sorted.map(paragraph).joined(separator: "\n").utf8)
  }

  private static func paragraph(_ control: DebianControl) -> String {
    var text = ""
    for field in control.paragraph.fields {
      text += "\(field.name): \(field.value)\n"
      if field.name == "Package" { text += "Status: install ok installed\n" }
    }
    return text
  }

  /// The files about one package below info: what it owns, and its control data other than the paragraph.
  static func writeInfo(of control: DebianControl, list: [String], to layer: inout LayerBuilder) throws {
    func header(_ suffix: String, _ permissions: UInt32) throws -> FileHeader {
      FileHeader(path: try RelativePath("var/lib/dpkg/info/\(control.databaseName).\(suffix)"), permissions: permissions)
    }
    try layer.file(header("list", 0o644), Array((list.joined(separator: "\n") + "\n").utf8), origin: "dpkg")
    for member in control.members where member.name != "control" {
      try layer.file(header(member.name, member.permissions), member.bytes, origin: "dpkg")
    }
  }
}
