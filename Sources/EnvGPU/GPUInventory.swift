/// What a host has to pass through: installed specifications, and generated ones for kinds that have none.
import CDI
import EnvCatalog
import EnvCore
import SafeFS

/// The devices of one host.
public struct GPUInventory: Sendable {
  public let host: HostTree
  /// Nil where nothing of NVIDIA is found.
  public let nvidia: NVIDIAHost?
  public let installed: CDIRegistry
  /// For kinds without an installed specification.
  public let generated: [GeneratedSpec]
  let generatedRegistry: CDIRegistry

  /// Looks at a host.
  ///
  /// - Parameter folders: Where specifications lie, least important first.
  /// - Throws: `GPUError.unreadableHost`, `.malformedLinkerCache`.
  public init(_ host: HostTree, folders: [String] = CDIRegistry.folders) throws(GPUError) {
    self.host = host
    nvidia = try NVIDIAHost(host)
    let installed = CDIRegistry(host: host, folders: folders)
    self.installed = installed
    let kinds = Set(installed.kinds)
    generated = try GeneratedSpec.all(host, nvidia: nvidia).filter { !kinds.contains($0.spec.kind) }
    generatedRegistry = CDIRegistry(generated: generated.map(\.spec))
  }

  /// Kinds of accelerators that can be chosen by a short name, most likely first.
  var kinds: [CDIKind] {
    let all = Set(installed.kinds).union(generatedRegistry.kinds).filter { Self.classes.contains($0.name) }
    return all.sorted { (Self.rank($0), $0) < (Self.rank($1), $1) }
  }

  private static let classes: Set<String> = ["gpu", "npu", "xpu", "gaudi"]

  private static func rank(_ kind: CDIKind) -> Int {
    ["nvidia.com", "amd.com", "intel.com"].firstIndex(of: kind.vendor) ?? 3
  }

  func registry(of kind: CDIKind) -> CDIRegistry {
    isGenerated(kind) ? generatedRegistry : installed
  }

  func isGenerated(_ kind: CDIKind) -> Bool { generated.contains { $0.spec.kind == kind } }

  /// Every device that can be named, usable or in conflict.
  var names: [QualifiedDevice] {
    (installed.devices + installed.conflicts.map(\.device) + generatedRegistry.devices).sorted()
  }

  /// The GPUs of NVIDIA's whose nodes a device brings.
  func nvidiaGPUs(of edits: ContainerEdits) -> [NVIDIAHost.GPU] {
    guard let nvidia else { return [] }
    let nodes = Set(edits.deviceNodes.map(\.source))
    return nvidia.gpus.filter { nodes.contains($0.node) }
  }
}

/// A device as `envctl gpu list` shows it.
public struct GPUListing: Encodable, Sendable {
  /// `vendor/class=name`.
  public var device: String
  /// The specification file, or `generated`.
  public var source: String
  public var model: String?
  public var uuid: String?
  public var computeCapability: Version?
  /// False for kinds nobody has tried.
  public var isVerified: Bool
  /// Why it cannot be used.
  public var problem: String?
}

extension GPUInventory {
  /// All devices, in the order of their names.
  public var listings: [GPUListing] {
    names.map { name in
      let registry = registry(of: name.kind)
      var listing = GPUListing(device: name.description, source: "generated", isVerified: true)
      do throws(CDIError) {
        let file = try registry.file(of: name)
        if !isGenerated(name.kind) { listing.source = file.path }
        listing.isVerified = file.spec.annotations != GeneratedSpec.unverified
        let gpus = file.spec[name.name].map { nvidiaGPUs(of: $0.edits) } ?? []
        if gpus.count == 1, let gpu = gpus.first {
          listing.model = gpu.model
          listing.uuid = gpu.uuid
          listing.computeCapability = gpu.model.flatMap { GPUModel($0).computeCapability }
        }
      } catch {
        listing.source = ""
        listing.problem = error.summary
      }
      return listing
    }
  }
}
