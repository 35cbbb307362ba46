/// What a workspace was made with and what is asked of it now, one difference at a time.
import EnvBundle
import EnvCore

/// A setting that is not the same; nil where there is none.
public struct SettingChange: Sendable, Hashable, Encodable, CustomStringConvertible {
  /// Such as `image` or `variable LANG`.
  public var setting: String
  public var before: String?
  public var after: String?

  public init(_ setting: String, before: String?, after: String?) {
    self.setting = setting
    self.before = before
    self.after = after
  }

  public var description: String { "\(setting): \(before ?? "none") → \(after ?? "none")" }
}

extension Workspace {
  /// How what is asked differs from what the workspace was made with; empty when it can be used as it is.
  func changes(to wanted: WorkspaceRequest) -> [SettingChange] {
    let (old, new) = (request, wanted.launch)
    var changes = [
      SettingChange("environment", before: environment, after: wanted.environment),
      SettingChange("image", before: image.digest.short, after: wanted.image.digest.short),
      SettingChange("layers", before: "\(image.layers.count)", after: Self.layers(from: image, to: wanted.image)),
      SettingChange("command", before: old.command?.joined(separator: " "), after: new.command?.joined(separator: " ")),
      SettingChange("entrypoint", before: old.entrypoint?.joined(separator: " "), after: new.entrypoint?.joined(separator: " ")),
      SettingChange("working folder", before: old.workingDirectory, after: new.workingDirectory),
      SettingChange("user", before: old.user, after: new.user),
      SettingChange("devices", before: Self.devices(of: old), after: Self.devices(of: new)),
    ]
    changes += Self.variables(from: old.environment, to: new.environment)
    changes += Self.changes("mount", from: Self.mounts(of: old), to: Self.mounts(of: new))
    let rest = SettingChange(
      "limits and other settings", before: "as before", after: Self.rest(of: old) == Self.rest(of: new) ? "as before" : "changed")
    return (changes + [rest]).filter { $0.before != $0.after }
  }

  private static func layers(from old: LaunchImage, to new: LaunchImage) -> String {
    let fresh = Set(new.layers).subtracting(old.layers).count
    return fresh == 0 && old.layers.count == new.layers.count ? "\(old.layers.count)" : "\(new.layers.count), \(fresh) of them new"
  }

  /// Which variables differ, and not their values, among which are passwords and tokens.
  private static func variables(from old: [String: String], to new: [String: String]) -> [SettingChange] {
    Set(old.keys).union(new.keys).sorted().filter { old[$0] != new[$0] }.map { name in
      SettingChange(
        "variable \(name)", before: old[name].map { _ in "set" }, after: new[name].map { _ in old[name] == nil ? "set" : "changed" })
    }
  }

  private static func changes(_ kind: String, from old: [String: String], to new: [String: String]) -> [SettingChange] {
    Set(old.keys).union(new.keys).sorted().map { SettingChange("\(kind) \($0)", before: old[$0], after: new[$0]) }
  }

  private static func mounts(of request: LaunchRequest) -> [String: String] {
    let pairs = request.mounts.map { mount in
      (
        mount.destination,
        mount.source + (mount.isReadOnly ? " (read-only)" : "") + (mount.owner.map { " (owner \($0.uid):\($0.gid))" } ?? "")
      )
    }
    return Dictionary(pairs) { first, _ in first }
  }

  /// The device nodes' places. Numbers and libraries change with the driver and are read anew at every start.
  private static func devices(of request: LaunchRequest) -> String? {
    request.devices.map { Set($0.edits.deviceNodes.map(\.path)).sorted().joined(separator: ", ") }
  }

  /// What is compared as a whole: all that has no line of its own above.
  private static func rest(of request: LaunchRequest) -> LaunchRequest {
    var rest = request
    (rest.command, rest.entrypoint, rest.workingDirectory, rest.user, rest.devices) = (nil, nil, nil, nil, nil)
    (rest.environment, rest.mounts) = ([:], [])
    return rest
  }
}
