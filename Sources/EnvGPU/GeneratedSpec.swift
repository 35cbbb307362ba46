/// Specifications envctl makes where the vendor's tool has installed none.
import CDI
import EnvCore
import SafeFS

/// A specification made from what the host shows.
public struct GeneratedSpec: Sendable {
  public let spec: CDISpec
  /// Folders in the container for `LD_LIBRARY_PATH`, where no hook of the vendor updates the container's linker cache.
  public var libraryFolders: [String] = []
  /// What could not be found or chosen with certainty; for people.
  public var notes: [String] = []
}

extension ContainerEdits.Mount {
  /// A read-only bind of one file at its own path, with the options `nvidia-ctk` writes.
  static func readOnly(_ path: String, at place: String? = nil) -> ContainerEdits.Mount {
    ContainerEdits.Mount(hostPath: path, containerPath: place ?? path, options: ["ro", "nosuid", "nodev", "rbind", "rprivate"])
  }

  /// A bind of a socket, or of a folder with some, that programs in the container talk to.
  static func socket(_ path: String) -> ContainerEdits.Mount {
    ContainerEdits.Mount(hostPath: path, containerPath: path, options: ["nosuid", "nodev", "rbind", "rprivate", "noexec"])
  }
}

extension ContainerEdits {
  /// Edits that only bring device nodes.
  static func nodes(_ paths: [String]) -> ContainerEdits {
    var edits = ContainerEdits()
    edits.deviceNodes = paths.map { DeviceNode(path: $0) }
    return edits
  }
}

extension GeneratedSpec {
  /// The specifications envctl can make for this host, of every vendor it knows.
  static func all(_ host: HostTree, nvidia: NVIDIAHost?) throws(GPUError) -> [GeneratedSpec] {
    var specs: [GeneratedSpec] = []
    if let nvidia {
      let made = try lookingAtHost { () throws(FileSystemError) in
        nvidia.isWSL ? try nvidia.windowsSpec(host) : try nvidia.spec(host)
      }
      if let made { specs.append(made) }
    }
    specs += try lookingAtHost { () throws(FileSystemError) in try otherVendors(host) }
    return specs
  }
}
