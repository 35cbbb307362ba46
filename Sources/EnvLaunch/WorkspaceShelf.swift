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

  /// The ids of all workspaces, sorted.
  func workspaceIDs() throws -> [String] {
    guard FileSystem.exists(workspaces) else { return [] }
    return try FileSystem.list(workspaces).filter { FileSystem.exists(workspace($0).record) }
  }
}
