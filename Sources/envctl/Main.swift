/// The program: parses the command line, runs one command, and turns every ending into an exit status.
import ArgumentParser
import EnvCore
import EnvLaunch
import EnvReport
import Glibc

@main
enum Main {
  static func main() {
    // A closed pipe is an error of the one write that meets it, not the end of the program in the middle of its work.
    signal(SIGPIPE, SIG_IGN)
    var wantsJSON = false
    var logFormat = LogFormat.text
    do {
      // Not left to the parser: it would print the version whenever a subcommand's arguments are wrong and one of them is --version.
      if CommandLine.arguments.dropFirst().elementsEqual(["--version"]) { return try Console.printResult(Envctl.programVersion) }
      var command = try Envctl.parseAsRoot()
      wantsJSON = (command as? any JSONReporting)?.wantsJSON ?? false
      logFormat = (command as? any StoryTelling)?.logFormat ?? .text
      try command.run()
    } catch {
      end(error, wantsJSON: wantsJSON, logFormat: logFormat)
    }
  }

  private static func end(_ error: any Error, wantsJSON: Bool, logFormat: LogFormat) -> Never {
    if let ending = error as? Ending { Glibc.exit(ending.status) }
    if let error = error as? LaunchError, case .interrupted = error {
      Console.tell(error.summary)
      Glibc.exit(error.commandStatus)
    }
    // Help, version and usage errors are the parser's own, told in its own words.
    if !(error is any Diagnostic), Envctl.exitCode(for: error) == .success {
      print(Envctl.fullMessage(for: error))
      Glibc.exit(0)
    }
    guard error is any Diagnostic || !isParserError(error) else {
      for line in Envctl.fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false) { Console.tell(String(line)) }
      Glibc.exit(EnvCore.ExitCode.usage.rawValue)
    }
    let text = ErrorText(error)
    if wantsJSON { try? Console.printJSON(text.document) }  // When stdout is the trouble, stderr says so below.
    switch logFormat {
    case .text: Console.tell(text)
    case .ecs: Console.ecs(tellsAll: true).failed(text)
    }
    Glibc.exit(text.exitCode.rawValue)
  }

  private static func isParserError(_ error: any Error) -> Bool { Envctl.exitCode(for: error) == .validationFailure }
}

/// A command that can print its result as JSON, and then its error likewise.
protocol JSONReporting {
  var wantsJSON: Bool { get }
}

/// A command that says how its story is told on stderr.
protocol StoryTelling {
  var logFormat: LogFormat { get }
}

/// A command that prints a result in the format asked for.
protocol ReportingCommand: ParsableCommand, JSONReporting, StoryTelling {
  var common: CommonOptions { get }
}

extension ReportingCommand {
  var wantsJSON: Bool { common.format == .json }
  var logFormat: LogFormat { common.tools.logFormat }
}

/// A command's own ending with a status, after it has said everything itself.
struct Ending: Error {
  let status: Int32
  init(_ code: EnvCore.ExitCode) { status = code.rawValue }
  init(status: Int32) { self.status = status }
}
