/// The end of workspaces: their processes get time to finish, then nothing of the container is left.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// Ends a workspace's processes (SIGTERM, then SIGKILL after `grace`) and removes the container. Its changes and its log stay.
  ///
  /// - Returns: false when it did not run; what was left of it is cleared away all the same.
  @discardableResult
  public func stop(_ id: String, grace: Duration = .seconds(10)) throws(LaunchError) -> Bool {
    try requireRoot()
    return try launching("stopping workspace \(id)") {
      try withWorkspaceLocked(id) { _ in try end(try workspace(id), grace: grace) }
    }
  }

  /// As `stop`, and removes the workspace with its changes, its log and its record.
  public func remove(_ id: String, grace: Duration = .seconds(10)) throws(LaunchError) {
    try requireRoot()
    try launching("removing workspace \(id)") {
      try withWorkspaceLocked(id) { _ in
        _ = try end(try workspace(id), grace: grace)
        try layout.removeWorkspace(id)
      }
    }
  }

  /// Removes a workspace that does not run, with its changes, its log and its record.
  ///
  /// - Throws: `LaunchError.stillRunning`.
  public func removeStopped(_ id: String) throws(LaunchError) {
    try requireRoot()
    try launching("removing workspace \(id)") {
      try withWorkspaceLocked(id) { _ in
        let workspace = try workspace(id)
        guard try runningProcess(of: workspace) == nil else { throw LaunchError.stillRunning(name: id) }
        _ = try end(workspace, grace: .zero)
        try layout.removeWorkspace(id)
      }
    }
  }

  func end(_ workspace: Workspace, grace: Duration) throws -> Bool {
    let client = client(workspace.runtime)
    let running = try runningProcess(of: workspace)
    if let running, !running.isPaused { Self.terminate(container: running.pid, grace: grace) }
    try client.delete(workspace.id)
    return running != nil
  }

  /// Asks all processes of a container to end. Process 1 comes last, because the kernel kills all others with it.
  private static func terminate(container pid: Int32, grace: Duration) {
    guard let first = ProcessHandle(pid: pid) else { return }
    let end = ContinuousClock.now + grace
    for other in processes(inNamespaceOf: pid) { ProcessHandle(pid: other)?.signal(SIGTERM) }
    var hasHungUp = false
    while ContinuousClock.now < end {
      let left = processes(inNamespaceOf: pid)
      if left.isEmpty { break }
      // Only after all others: a shell that is hung up does the same to its jobs, which may still be saving something.
      if !hasHungUp, left.allSatisfy(isShellOfAPerson) {
        for shell in left { ProcessHandle(pid: shell)?.signal(SIGHUP) }
        hasHungUp = true
      }
      usleep(10_000)
    }
    first.signal(SIGTERM)
    _ = first.waitForEnd(within: max(.milliseconds(500), end - ContinuousClock.now))
  }

  /// Whether it passes over SIGTERM and ends when its terminal is gone, as shells do at which somebody sits.
  private static func isShellOfAPerson(_ pid: Int32) -> Bool {
    ProcessHandle.hasTerminal(pid) && StartedProcess.signals("SigIgn:", of: pid)?.contains(SIGTERM) == true
  }

  /// The processes that share the PID namespace of `pid`, without that one.
  private static func processes(inNamespaceOf pid: Int32) -> [Int32] {
    let namespace = { (pid: Int32) in try? FileSystem.linkTarget(FilePath("/proc/\(pid)/ns/pid")) }
    guard let wanted = namespace(pid), let names = try? FileSystem.list("/proc") else { return [] }
    return names.compactMap { Int32($0) }.filter { $0 != pid && ProcessHandle.startTime(of: $0) != nil && namespace($0) == wanted }
  }
}
