/// The CDI specifications installed on a host, and which of them describes a device.
import EnvCore
import SafeFS
import StrictYAML

/// What the folders for CDI specifications hold.
///
/// The later folder wins over the earlier one. Two files of one folder that describe the same device make it unusable, unless a later
/// folder describes it too: where the reference implementation gives up on such a device altogether, the later folder counts here.
public struct CDIRegistry: Sendable {
  /// Where specifications are looked for, least important first (CDI specification, "CDI JSON Specification").
  public static let folders = ["/etc/cdi", "/var/run/cdi"]

  /// One specification and where it was found.
  public struct File: Sendable {
    /// Below the host's root.
    public let path: String
    /// The position of its folder in the list.
    public let priority: Int
    public let spec: CDISpec
  }

  public let files: [File]
  /// Files that could not be used. Devices of other files are not harmed by them.
  public let broken: [(path: String, error: CDIError)]

  /// Reads all `.json` and `.yaml` files of the folders; subfolders are not looked into.
  public init(host: HostTree, folders: [String] = CDIRegistry.folders) {
    var files: [File] = []
    var broken: [(String, CDIError)] = []
    for (priority, folder) in folders.enumerated() {
      do throws(FileSystemError) {
        for name in try host.list(folder) where name.hasSuffix(".json") || name.hasSuffix(".yaml") {
          let path = folder + "/" + name
          do throws(CDIError) {
            guard let spec = try Self.read(path, host) else { continue }
            files.append(File(path: path, priority: priority, spec: spec))
          } catch {
            broken.append((path, error))
          }
        }
      } catch {
        broken.append((folder, .unreadable(file: folder, underlying: error)))
      }
    }
    self.files = files
    self.broken = broken
  }

  /// Specifications that lie in no folder, such as generated ones.
  public init(generated specs: [CDISpec]) {
    files = specs.map { File(path: "generated:\($0.kind)", priority: 0, spec: $0) }
    broken = []
  }

  private static func read(_ path: String, _ host: HostTree) throws(CDIError) -> CDISpec? {
    let bytes: [UInt8]
    do throws(FileSystemError) {
      guard let content = try host.read(path, limit: 16 << 20) else { return nil }
      bytes = content
    } catch {
      throw .unreadable(file: path, underlying: error)
    }
    do throws(YAMLError) {
      return try CDISpec(bytes, file: path)
    } catch {
      throw .malformed(underlying: error)
    }
  }

  public var kinds: [CDIKind] { Set(files.map(\.spec.kind)).sorted() }

  /// Every device that can be used, sorted.
  public var devices: [QualifiedDevice] {
    definitions.filter { $0.value.count == 1 }.keys.sorted()
  }

  /// Devices that two files of the deciding level describe, with those files.
  public var conflicts: [(device: QualifiedDevice, files: [String])] {
    definitions.filter { $0.value.count > 1 }.map { ($0.key, $0.value.map(\.path)) }.sorted { $0.0 < $1.0 }
  }

  /// The files of the highest level that describe each device.
  private var definitions: [QualifiedDevice: [File]] {
    var found: [QualifiedDevice: [File]] = [:]
    for file in files {
      for device in file.spec.devices {
        let name = QualifiedDevice(kind: file.spec.kind, name: device.name)
        let known = found[name, default: []].filter { $0.priority >= file.priority }
        found[name] = known + [file]
      }
    }
    return found
  }

  /// The one file that describes `device`.
  ///
  /// - Throws: `CDIError.unknownDevice`, `.conflict`.
  public func file(of device: QualifiedDevice) throws(CDIError) -> File {
    let definitions = definitions
    guard let found = definitions[device], let file = found.first else {
      throw .unknownDevice(device, known: definitions.keys.sorted().map(\.description), broken: broken.map(\.path))
    }
    guard found.count == 1 else { throw .conflict(device, files: found.map(\.path)) }
    return file
  }

  /// All that the devices change in a container: for each file what all its devices need, once, before what the first of them needs.
  public func edits(for devices: [QualifiedDevice]) throws(CDIError) -> ContainerEdits {
    var edits = ContainerEdits()
    var used: Set<String> = []
    var done: Set<QualifiedDevice> = []
    for device in devices where done.insert(device).inserted {
      let file = try file(of: device)
      if used.insert(file.path).inserted { edits.append(file.spec.edits) }
      if let own = file.spec[device.name] { edits.append(own.edits) }
    }
    return edits
  }
}
