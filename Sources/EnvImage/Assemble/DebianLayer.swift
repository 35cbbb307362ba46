/// Debian packages → one layer: their files in a merged /usr, what their maintainer scripts would have made, and dpkg's database.
import Archive
import EnvCore
import SafeFS
import SystemPackage

/// A package together with the file it is in.
struct LocatedPackage: Sendable {
  var pin: RecipeLock.DebianPin
  var path: FilePath
}

/// The content of one layer of Debian packages.
struct DebianLayer: Sendable {
  /// The packages of this layer.
  var packages: [LocatedPackage]
  /// Control data of the packages of all layers below this one and of its own, for dpkg's database.
  var installed: [DebianControl]
  var isLowest: Bool

  /// Writes the layer: packages by name, files in the order of each package.
  func write(to layer: inout LayerBuilder) throws {
    if isLowest { try writeSkeleton(to: &layer) }
    for package in packages { try write(package, to: &layer) }
    try layer.replacement(
      FileHeader(path: RelativePath("var/lib/dpkg/status"), permissions: 0o644), DpkgDatabase.status(installed), origin: "dpkg")
  }

  /// What no package ships because the installer makes it: the links of the merged /usr (Debian's usrmerge), and mount points.
  private func writeSkeleton(to layer: inout LayerBuilder) throws {
    for name in MergedUsr.folders {
      try layer.directory(FileHeader(path: RelativePath("usr/" + name), permissions: 0o755), origin: "the image")
      try layer.symlink(FileHeader(path: RelativePath(name), permissions: 0o777), target: "usr/" + name, origin: "the image")
    }
    for name in ["etc/hosts", "etc/hostname", "etc/resolv.conf"] {
      try layer.file(FileHeader(path: RelativePath(name), permissions: 0o644), [], origin: "the image")
    }
  }

  private func write(_ located: LocatedPackage, to layer: inout LayerBuilder) throws {
    let package = try DebianPackage(located.path, pin: located.pin)
    let control = package.control
    let origin = "\(located.pin.package) \(located.pin.version)"
    var actions = MaintainerActions(package: located.pin.package)
    var list: [String] = []
    try package.withFiles { reader in
      while let entry = try reader.next() {
        let path = try Self.path(entry.path, of: origin)
        list.append(path.isRoot ? "/." : path.description)
        guard !actions.replaces(path.string) else { continue }
        try Self.copy(entry, path: path, from: &reader, to: &layer, origin: origin, actions: &actions)
      }
    }
    try actions.perform(in: &layer, origin: origin)
    try DpkgDatabase.writeInfo(of: control, list: list, to: &layer)
  }

  private static func copy(
    _ entry: ArchiveEntry, path: RelativePath, from reader: inout ArchiveReader, to layer: inout LayerBuilder, origin: String,
    actions: inout MaintainerActions
  ) throws {
    let merged = try MergedUsr.path(path)
    let header = FileHeader(
      path: merged, permissions: entry.permissions, uid: entry.uid, gid: entry.gid, modified: entry.modified,
      extendedAttributes: entry.extendedAttributes)
    switch entry.kind {
    case .directory: try layer.directory(header, origin: origin)
    case .symlink(let target): try layer.symlink(header, target: target, origin: origin)
    case .hardlink(let target): try layer.hardlink(header, target: MergedUsr.path(Self.path(target, of: origin)), origin: origin)
    case .file where actions.wants(path.string):
      let bytes = try reader.readAll(limit: 16 << 20)
      try layer.file(header, bytes, origin: origin)
      actions.take(path.string, bytes)
    case .file: try layer.file(header, size: entry.size, origin: origin) { write in try reader.readData(write) }
    case .characterDevice, .blockDevice, .fifo: try layer.special(header, kind: entry.kind, origin: origin)
    }
  }

  private static func path(_ text: String, of origin: String) throws -> RelativePath {
    do {
      return try RelativePath(text)
    } catch PathError.escapes {
      throw ImageError.pathEscape(object: origin, path: text)
    }
  }
}

/// The layout every Debian system has since bookworm: /bin, /sbin and /lib* are links into /usr, while packages may still name files below them.
enum MergedUsr {
  static let folders = ["bin", "lib", "lib64", "sbin"]

  /// Where a packaged path really is.
  static func path(_ path: RelativePath) throws -> RelativePath {
    let first = path.string.prefix { $0 != "/" }
    return folders.contains(String(first)) ? try RelativePath("usr/" + path.string) : path
  }
}
