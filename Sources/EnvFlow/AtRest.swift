/// What an environment is, told from outside: by its image, the settings of the run and the host. For a run that broke before it could tell.
import EnvCatalog
import EnvCore
import EnvDrift
import EnvImage
import EnvStore
import SafeFS
import SystemPackage

extension Workbench {
  private static let preloadFile = "/etc/ld.so.preload"

  /// The environment a run of the reference workload had, and the baseline of the most similar hardware, by which it is told.
  func atRest(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest, among baselines: [Baseline]
  ) throws -> (Baseline, EnvironmentAtRest)? {
    let host = try HostFacts()
    let known = Set(baselines.flatMap(\.environment.cpu.flags))
    guard var seen = baselines.first?.environment else { return nil }
    seen.cpu = host.reported(lookingFor: known, like: seen.cpu)
    guard let baseline = Baseline.nearest(to: seen, among: baselines) else { return nil }
    seen = baseline.environment
    seen.cpu = host.reported(lookingFor: known, like: seen.cpu)
    seen.platform.kernel = host.kernel

    var variables = environment.image.config.config?.variables ?? [:]
    for (name, value) in project.variables + request.settings.variables { variables[name] = value }
    let areKept = request.arguments.contains(WorkloadVariables.keeping)
    seen.variables = WorkloadVariables.reported(of: variables, areKept: areKept)

    // Of two mounts at one place the later one is seen.
    let mounts = Dictionary(request.settings.mounts.map { ($0.destination, $0.source) }) { $1 }
    let files = try ImageFiles(Set(seen.libraries.keys).union([Self.preloadFile]), in: environment.layers.layers)
    if environment.image.manifestDigest != baseline.image {
      try seen.take(PackageInventory(of: environment.layers.layers), workload: baseline.workload)
      let digests = try files.digests()
      seen.libraries = seen.libraries.filter { digests[$0.key] != nil }.merging(digests) { $1 }
      seen.libraries[Self.preloadFile] = nil
    }
    for path in baseline.environment.libraries.keys {
      guard let source = Self.source(of: path, mounts) else { continue }
      let isFile = try FileSystem.status(source, followingLink: true)?.kind == .file
      seen.libraries[path] = isFile ? try Digest.sha256(ofFile: source, followingLink: true) : nil
    }
    let listed = try Self.source(of: Self.preloadFile, mounts).map { try FileSystem.readFile($0) } ?? files.read(Self.preloadFile) ?? []
    // As ld.so(8) takes them apart.
    seen.preloaded = ((variables["LD_PRELOAD"] ?? "") + " " + String(decoding: listed, as: UTF8.self))
      .split { $0 == ":" || $0.isWhitespace }.map(String.init)
    return (baseline, EnvironmentAtRest(seen, mounts: mounts))
  }

  /// Where on the host a path of the container lies that is mounted, or below what is.
  private static func source(of path: String, _ mounts: [String: String]) -> FilePath? {
    let over = mounts.keys.filter { path == $0 || path.hasPrefix($0 + "/") }.max { $0.utf8.count < $1.utf8.count }
    return over.flatMap { over in mounts[over].map { FilePath($0 + path.dropFirst(over.count)) } }
  }
}

extension Environment {
  /// Takes the packages from an image's databases. The workload itself stands in none.
  fileprivate mutating func take(_ inventory: PackageInventory, workload: Workload) {
    let found = inventory.versions(by: .python)
    let spelled = Dictionary(packages.keys.map { (normalizedProject($0), $0) }) { first, _ in first }
    var taken = packages.filter { $0.key == workload.name }
    for (name, version) in found { taken[spelled[name] ?? name] = version }
    packages = taken
    // `1:3.11.2-6+deb12u8` is what Debian makes of 3.11.2.
    let debian = inventory.versions(by: .dpkg).mapValues { version in
      String(version.split(separator: ":").last?.prefix { $0 != "-" && $0 != "+" } ?? "")
    }
    let interpreters = debian.filter { $0.key.hasPrefix("python3.") && $0.key.dropFirst(8).allSatisfy(\.isNumber) }.values
    if interpreters.count == 1, let version = interpreters.first { python = version }
    if let version = debian["libc6"] { platform.libc = "glibc " + version }
  }
}
