/// The user-space libraries of the NVIDIA driver: found through the linker cache, told apart by the driver version in their names.
import EnvCatalog
import EnvCore
import SafeFS

/// The driver's libraries on a host.
public struct DriverLibraries: Sendable {
  /// A library and the names it is asked for by.
  public struct Library: Sendable, Hashable {
    /// Absolute, without links, such as `/usr/lib/x86_64-linux-gnu/libcuda.so.570.133.20`.
    public let path: String
    /// The linker's names of it, such as `libcuda.so.1`, sorted.
    public let names: [String]

    public var fileName: String { String(path.split(separator: "/").last ?? "") }
    public var folder: String { String(path.dropLast(fileName.count + 1)) }

    /// A name programs open that is no SONAME, so that no linker makes the link, and what it leads to (nvidia-container-toolkit,
    /// internal/discover/symlinks.go).
    var furtherLink: (name: String, target: String)? {
      if fileName.hasPrefix("libcuda.so.") { return ("libcuda.so", "libcuda.so.1") }
      if fileName.hasPrefix("libnvidia-opticalflow.so.") { return ("libnvidia-opticalflow.so", "libnvidia-opticalflow.so.1") }
      return fileName.hasPrefix("libGLX_nvidia.so.") ? ("libGLX_indirect.so.0", fileName) : nil
    }
  }

  /// Those of `version`, sorted by path.
  public let libraries: [Library]
  /// The version they are of: the kernel module's, or where that is not known the only one there is.
  public let version: Version?
  /// Every version of `libcuda` found. One that differs from the kernel module's is what an unfinished upgrade leaves.
  public let versions: [Version]

  /// Where distributions put the libraries, for hosts whose cache does not know them.
  private static let folders = [
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu",
    "/lib64", "/lib", "/usr/local/nvidia/lib64",
  ]

  /// Reads `/etc/ld.so.cache` and the folders the driver's libraries lie in.
  ///
  /// - Throws: `GPUError.malformedLinkerCache`, `.unreadableHost`.
  init(_ host: HostTree, kernelModule: Version?) throws(GPUError) {
    let cache = try lookingAtHost { () throws(FileSystemError) in try host.read("/etc/ld.so.cache", limit: 64 << 20) }
    let entries = try cache.map { bytes throws(GPUError) in try LinkerCache(bytes).libraries } ?? []
    let found = try lookingAtHost { () throws(FileSystemError) in try Self.files(host, entries) }
    versions = Set(found.keys.compactMap { Self.version(of: $0, library: "libcuda") }).sorted()
    version = kernelModule ?? (versions.count == 1 ? versions.first : nil)
    guard let suffix = version.map({ ".so." + $0.description }) else {
      libraries = []
      return
    }
    libraries = found.filter { $0.key.hasSuffix(suffix) }.map { Library(path: $0.key, names: $0.value.sorted()) }
      .sorted { $0.path < $1.path }
  }

  /// Every library file of the cache by its real path, with the names that lead to it, and those beside `libcuda` the cache does not list.
  private static func files(_ host: HostTree, _ entries: [LinkerCache.Library]) throws(FileSystemError) -> [String: Set<String>] {
    var found: [String: Set<String>] = [:]
    for entry in entries where entry.is64Bit {
      guard let path = try host.canonicalPath(entry.path) else { continue }
      found[path, default: []].insert(entry.name)
    }
    let known = found.keys.filter { version(of: $0, library: "libcuda") != nil }
    let folders = known.isEmpty ? Self.folders : Set(known.map { folder(of: $0) }).sorted()
    for folder in folders {
      for place in [folder, folder + "/vdpau"] {
        for name in try host.list(place) where name.hasPrefix("lib") && version(of: name, library: nil) != nil {
          guard let path = try host.canonicalPath(place + "/" + name), version(of: path, library: nil) != nil else { continue }
          if found[path] == nil { found[path] = soname(name).map { [$0] } ?? [] }
        }
      }
    }
    return found.filter { version(of: $0.key, library: nil) != nil }
  }

  /// The name a driver's library of version 1 is asked for by: all of them have that one but a few that programs open by their full name.
  private static func soname(_ file: String) -> String? {
    guard let end = file.firstIndex(ofText: ".so.") else { return nil }
    return file[..<end] + ".so.1"
  }

  /// The driver version at the end of a library's path, such as that of `libcuda.so.570.133.20`; nil for other numbers.
  static func version(of path: String, library: String?) -> Version? {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let end = name.firstIndex(ofText: ".so."), library.map({ name[..<end] == $0 }) ?? true else { return nil }
    guard let version = Version(parsing: name[name.index(end, offsetBy: 4)...]), (2...3).contains(version.components.count),
      version.components[0] >= 100
    else { return nil }
    return version
  }

  private static func folder(of path: String) -> String {
    path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
  }
}

extension String {
  /// Where the first occurrence of `text` begins.
  fileprivate func firstIndex(ofText text: String) -> Index? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(text) { return index }
      index = self.index(after: index)
    }
    return nil
  }
}
