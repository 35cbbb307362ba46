/// The common way to use a command: take its output.
import EnvCore
import SystemPackage

extension Command {
  /// Runs to the end and keeps what is written to the streams that are pipes.
  ///
  /// With a deadline the child leads a group of its own, so that everything it started ends with it.
  public func run(
    output: OutputSink = .capture(limit: 16 << 20), errors: OutputSink = .tail(limit: 64 << 10), deadline: Duration? = nil
  ) throws(ProcessError) -> Completion {
    var command = self
    if deadline != nil, command.processGroup == .inherited { command.processGroup = .own }
    let child = try command.start()
    return try child.finish(output: output, errors: errors, deadline: deadline)
  }

  /// As `run`, and a status other than zero is the error `ProcessError.failed` with the end of standard error in it.
  public func runSuccessfully(
    output: OutputSink = .capture(limit: 16 << 20), deadline: Duration? = nil
  ) throws(ProcessError) -> Completion {
    let completion = try run(output: output, deadline: deadline)
    guard completion.status.isSuccess else {
      throw .failed(executable: executable, arguments: arguments, status: completion.status, errors: completion.errorText)
    }
    return completion
  }
}
