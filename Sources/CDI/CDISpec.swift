/// A CDI specification as a value: the devices of one kind and what each of them needs. `CDISpec+Parsing` reads it.
import EnvCore

/// The content of a CDI specification file.
public struct CDISpec: Hashable, Sendable {
  public var version: CDIVersion
  public var kind: CDIKind
  public var annotations: [String: String]
  public var devices: [Device]
  /// Needed as soon as any device of the file is used.
  public var edits: ContainerEdits

  /// One device of the kind.
  public struct Device: Hashable, Sendable {
    public var name: String
    public var annotations: [String: String]
    public var edits: ContainerEdits

    public init(name: String, annotations: [String: String] = [:], edits: ContainerEdits) {
      self.name = name
      self.annotations = annotations
      self.edits = edits
    }
  }

  /// A specification of the lowest version that has all the fields it uses, so that older programs can read it.
  public init(kind: CDIKind, annotations: [String: String] = [:], devices: [Device], edits: ContainerEdits = ContainerEdits()) {
    version = .v0_3
    self.kind = kind
    self.annotations = annotations
    self.devices = devices
    self.edits = edits
    version = requiredVersion
  }

  /// The lowest version that has all the fields this specification uses (specs-go/version.go of the reference implementation).
  public var requiredVersion: CDIVersion {
    var versions: [CDIVersion] = [edits.requiredVersion]
    if !annotations.isEmpty || kind.name.utf8.contains(UInt8(ascii: ".")) { versions.append(.v0_6) }
    for device in devices {
      versions.append(device.edits.requiredVersion)
      if !device.annotations.isEmpty { versions.append(.v0_6) }
      if device.name.utf8.first?.isASCIIDigit == true { versions.append(.v0_5) }
    }
    return versions.max() ?? .v0_3
  }

  public subscript(_ name: String) -> Device? { devices.first { $0.name == name } }
}

extension ContainerEdits {
  var requiredVersion: CDIVersion {
    if !netDevices.isEmpty || intelRdt?.schemata != nil || intelRdt?.enableMonitoring != nil { return .v1_1 }
    if intelRdt != nil || !additionalGIDs.isEmpty { return .v0_7 }
    if deviceNodes.contains(where: { $0.hostPath != nil }) { return .v0_5 }
    if mounts.contains(where: { $0.type != nil }) { return .v0_4 }
    return .v0_3
  }
}

extension CDISpec: Encodable {
  private enum CodingKeys: String, CodingKey { case cdiVersion, kind, annotations, devices, containerEdits }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(version, forKey: .cdiVersion)
    try container.encode(kind.description, forKey: .kind)
    if !annotations.isEmpty { try container.encode(annotations, forKey: .annotations) }
    try container.encode(devices, forKey: .devices)
    if !edits.isEmpty { try container.encode(edits, forKey: .containerEdits) }
  }
}

extension CDISpec.Device: Encodable {
  private enum CodingKeys: String, CodingKey { case name, annotations, containerEdits }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    if !annotations.isEmpty { try container.encode(annotations, forKey: .annotations) }
    try container.encode(edits, forKey: .containerEdits)
  }
}
