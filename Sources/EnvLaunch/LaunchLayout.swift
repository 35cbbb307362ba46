/// Where the launch floor keeps its files below the store's folder.
import SystemPackage

/// The folders of `$ENVCTL_HOME` that belong to containers.
///
///     run/<runtime>/            a runtime's own state
///     run/throwaway/<id>/       one container of `run`
///     run/bundle/               where each `run` mounts its bundle, visible to that container's runtime only
///     run/shelf/                emptied folders of past `run`s, removed while the next one works
///     run/locks/<id>.lock       one workspace at work
///     workspaces/<id>/          record, bundle, log and changes of one workspace
struct LaunchLayout: Sendable {
  let home: FilePath

  var run: FilePath { home.appending("run") }
  var bundle: FilePath { run.appending("bundle") }
  var shelf: FilePath { run.appending("shelf") }
  var throwaways: FilePath { run.appending("throwaway") }
  var throwawayLock: FilePath { run.appending("throwaway.lock") }
  var locks: FilePath { run.appending("locks") }
  var workspaces: FilePath { home.appending("workspaces") }

  func workspace(_ id: String) -> ContainerFolder { ContainerFolder(path: workspaces.appending(id), bundle: workspaces.appending(id)) }
  func throwaway(_ id: String) -> ContainerFolder { ContainerFolder(path: throwaways.appending(id), bundle: bundle) }
  func lock(_ id: String) -> FilePath { locks.appending(id + ".lock") }
}

/// The files of one container: an OCI bundle and what belongs to it.
struct ContainerFolder: Sendable {
  let path: FilePath
  /// The OCI bundle. Elsewhere than `path` when it lives in memory and in the container's mount namespace only.
  let bundle: FilePath

  var isBundleInMemory: Bool { bundle != path }

  var config: FilePath { bundle.appending("config.json") }
  var hosts: FilePath { bundle.appending("hosts") }
  /// The root filesystem, in the container's mount namespace only.
  var root: FilePath { bundle.appending("rootfs") }
  /// The files the container changed or made.
  var upper: FilePath { path.appending("upper") }
  /// overlayfs's own scratch folder.
  var work: FilePath { path.appending("work") }
  var pidFile: FilePath { path.appending("pid") }
  /// What the runtime says.
  var runtimeLog: FilePath { path.appending("runtime.log") }
  /// What process 1 of a workspace writes.
  var log: FilePath { path.appending("log") }
  var record: FilePath { path.appending("workspace.json") }
}
