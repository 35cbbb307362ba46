/// The records of all workspaces on the disk.
import EnvCore
import SafeFS
import SystemPackage

extension LaunchLayout {
  /// The record of workspace `id`; nil when there is none, or one that a crash left before its record was whole.
  func readWorkspace(_ id: String) throws -> Workspace? {
    let file = workspace(id).record
    guard FileSystem.exists(file) else { return nil }
    let record = try CanonicalJSON.decode(Workspace.self, from: try FileSystem.readFile(file, limit: 16 << 20), object: file.string)
    guard record.schema <= Workspace.currentSchema else { throw LaunchError.newerRecord(file: file.string, schema: record.schema) }
    return record
  }

  func writeWorkspace(_ record: Workspace) throws {
    let files = workspace(record.id)
    try FileSystem.createDirectories(files.path, mode: 0o700)
    try FileSystem.writeAtomically(try CanonicalJSON.encode(record), to: files.record, mode: 0o600)
  }

  /// Removes a workspace's folder. It is put aside in one step first, so that a kill half-way leaves no part of it under its name.
  func removeWorkspace(_ id: String) throws {
    let aside = workspaces.appending(Self.asidePrefix + FileSystem.uniqueSuffix())
    try FileSystem.rename(workspace(id).path, to: aside)
    try FileSystem.removeTree(aside)
  }

  /// Removes what was put aside by a removal that did not come to its end. Another one may be at it: then that does the work.
  func removeWorkspacesAside() {
    guard let names = try? FileSystem.list(workspaces) else { return }
    for name in names where name.hasPrefix(Self.asidePrefix) { try? FileSystem.removeTree(workspaces.appending(name)) }
  }

  /// Removes what killed `exec` calls left in a workspace that does not run.
  func removeExecFiles(_ id: String) throws {
    let folder = workspace(id).path
    guard FileSystem.exists(folder) else { return }
    for name in try FileSystem.list(folder) where name.hasPrefix("exec-") { try FileSystem.removeFile(folder.appending(name)) }
  }

  private static let asidePrefix = ".removed-"

  /// The ids of all workspaces, sorted.
  func workspaceIDs() throws -> [String] {
    guard FileSystem.exists(workspaces) else { return [] }
    return try FileSystem.list(workspaces).filter { !$0.hasPrefix(Self.asidePrefix) && FileSystem.exists(workspace($0).record) }
  }
}
