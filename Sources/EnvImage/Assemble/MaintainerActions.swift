/// What the maintainer scripts of a few packages make that running programs rely on, stated as data instead of run.
/// A package without an entry here is complete with the files it ships.
import EnvCore
import SafeFS

/// The effect of one package's `postinst configure` on a new system.
struct MaintainerActions {
  private struct Plan {
    /// Shipped template → file made from it.
    var copies: [String: String] = [:]
    /// Link → target.
    var links: [String: String] = [:]
    /// Folder → permissions.
    var folders: [String: UInt32] = [:]
    /// File → text.
    var texts: [String: String] = [:]
    /// Shipped paths that something above takes the place of.
    var replaced: Set<String> = []
    var makesCertificateBundle = false
  }

  private static let certificates = "usr/share/ca-certificates/"
  private let plan: Plan
  private var taken: [String: [UInt8]] = [:]

  init(package: String) { plan = Self.plans[package] ?? Plan() }

  /// Whether the content of a shipped file is needed.
  func wants(_ path: String) -> Bool {
    plan.copies[path] != nil || (plan.makesCertificateBundle && path.hasPrefix(Self.certificates) && path.hasSuffix(".crt"))
  }

  mutating func take(_ path: String, _ bytes: [UInt8]) { taken[path] = bytes }

  /// Whether a shipped path gives way to something made here.
  func replaces(_ path: String) -> Bool { plan.replaced.contains(path) }

  /// Adds what the script would have made.
  func perform(in layer: inout LayerBuilder, origin: String) throws {
    for (path, permissions) in plan.folders.sorted(by: { $0.key < $1.key }) {
      try layer.directory(FileHeader(path: RelativePath(path), permissions: permissions), origin: origin)
    }
    for (template, path) in plan.copies.sorted(by: { $0.key < $1.key }) {
      guard let bytes = taken[template] else {
        throw ImageError.malformedPackage(object: origin, reason: "it does not ship /\(template), from which /\(path) is made")
      }
      try layer.file(FileHeader(path: RelativePath(path), permissions: 0o644), bytes, origin: origin)
    }
    for (path, text) in plan.texts.sorted(by: { $0.key < $1.key }) {
      try layer.file(FileHeader(path: RelativePath(path), permissions: 0o644), Array(text.utf8), origin: origin)
    }
    for (path, target) in plan.links.sorted(by: { $0.key < $1.key }) {
      try layer.symlink(FileHeader(path: RelativePath(path), permissions: 0o777), target: target, origin: origin)
    }
    if plan.makesCertificateBundle { try writeCertificateBundle(to: &layer, origin: origin) }
  }

  /// update-ca-certificates(8): all certificates of the package, by name, in one file.
  private func writeCertificateBundle(to layer: inout LayerBuilder, origin: String) throws {
    let names = taken.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var bundle: [UInt8] = []
    for name in names {
      bundle += taken[name] ?? []
      if bundle.last != UInt8(ascii: "\n") { bundle.append(UInt8(ascii: "\n")) }
    }
    let configuration = names.map { $0.dropFirst(Self.certificates.count) + "\n" }.joined()
    try layer.file(
      FileHeader(path: RelativePath("etc/ca-certificates.conf"), permissions: 0o644), Array(configuration.utf8), origin: origin)
    try layer.file(FileHeader(path: RelativePath("etc/ssl/certs/ca-certificates.crt"), permissions: 0o644), bundle, origin: origin)
  }

  private static let plans: [String: Plan] = [
    "base-files": Plan(
      copies: [
        "usr/share/base-files/dot.bashrc": "root/.bashrc", "usr/share/base-files/dot.profile": "root/.profile",
        "usr/share/base-files/motd": "etc/motd", "usr/share/base-files/profile": "etc/profile",
      ],
      links: ["etc/dpkg/origins/default": "debian", "var/lock": "/run/lock", "var/run": "/run", "var/spool/mail": "../mail"],
      folders: [
        "mnt": 0o755, "srv": 0o755, "opt": 0o755, "etc/opt": 0o755, "var/opt": 0o755, "media": 0o755, "var/mail": 0o2775,
        "run/lock": 0o1777,
        "usr/local": 0o755, "usr/local/bin": 0o755, "usr/local/etc": 0o755, "usr/local/include": 0o755, "usr/local/lib": 0o755,
        "usr/local/sbin": 0o755, "usr/local/share": 0o755, "usr/local/src": 0o755,
      ],
      replaced: ["var/lock", "var/run"]),
    "base-passwd": Plan(copies: [
      "usr/share/base-passwd/passwd.master": "etc/passwd", "usr/share/base-passwd/group.master": "etc/group",
    ]),
    "ca-certificates": Plan(makesCertificateBundle: true),
    "debianutils": Plan(links: ["usr/bin/which": "/usr/bin/which.debianutils"]),
    "dpkg": Plan(texts: ["var/lib/dpkg/info/format": "1\n"]),
    "libc-bin": Plan(copies: ["usr/share/libc-bin/nsswitch.conf": "etc/nsswitch.conf"]),
    "mawk": Plan(links: ["usr/bin/awk": "/usr/bin/mawk"]),
  ]
}
