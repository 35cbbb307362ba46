/// pin → fetch → verify → scan of the project's models: what a container sees of them, or why it is not started.
import EnvBundle
import EnvCatalog
import EnvCore
import EnvModels
import EnvStore

extension Workbench {
  /// Makes the project's models ready and returns them as read-only mounts.
  ///
  /// - Throws: `ModelError` when one is not what its pin says (status 5) or holds more than its pin allows (status 4).
  func models(_ project: ProjectFile) throws -> [BindMount] {
    guard !project.models.isEmpty else { return [] }
    let provider = ModelProvider(store: store)
    return try reporter.stage("models") { progress in
      let missing = try project.models.filter { try !provider.isPresent($0) }
      let total = missing.reduce(0) { $0 + $1.size }
      var done: Int64 = 0
      let mounts = try project.models.map { pin in
        let model = try provider.prepare(pin, in: project.folder) { count in
          done += count
          progress(StageProgress(object: pin.name, done: done, total: total, isBytes: true))
        }
        tell(model)
        return BindMount(source: model.blob.path.string, destination: pin.mount, isReadOnly: true)
      }
      let count = "\(mounts.count) model\(mounts.count == 1 ? "" : "s")"
      return (mounts, missing.isEmpty ? "\(count) proven and scanned" : "\(count) proven and scanned, \(ByteCount(total)) fetched")
    }
  }

  /// What a pin allows is still said at every start.
  private func tell(_ model: ReadyModel) {
    for finding in model.allowed { reporter.warned("the model '\(model.pin.name)': \(finding), allowed by its pin") }
  }
}
