/// A check watched while it runs: a page of metrics in a file, on a port, or both.
import ArgumentParser
import EnvCore
import EnvDrift
import EnvFlow
import EnvReport
import Glibc
import HTTPServer
import SafeFS
import Synchronization
import SystemPackage

struct MetricsOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Keep metrics of the run in this file, for the node exporter's textfile collector.", valueName: "file.prom"),
    completion: .file())
  var metricsFile: String?

  @Option(help: ArgumentHelp("Offer metrics of the run for a scrape: PORT (on 127.0.0.1) or ADDRESS:PORT.", valueName: "address"))
  var metricsListen: String?

  @Option(help: "Seconds the metrics are still offered after the verdict, so that the last scrape sees it.")
  var metricsLinger = 0

  func validate() throws {
    if let metricsFile, !metricsFile.hasSuffix(".prom") {
      throw ValidationError("--metrics-file '\(metricsFile)' does not end in .prom: the textfile collector would pass it over")
    }
    guard (0...3600).contains(metricsLinger) else { throw ValidationError("--metrics-linger is a number of seconds from 0 to 3600") }
  }

  /// Begins to listen; nil when nobody wants to know.
  ///
  /// - Parameter tell: Is told where.
  func watch(tell: (String) -> Void) throws -> MetricsWatch? {
    guard metricsFile != nil || metricsListen != nil else { return nil }
    let watch = try MetricsWatch(file: metricsFile.map { FilePath($0) }, listen: metricsListen, linger: .seconds(metricsLinger))
    if let address = watch.address { tell("metrics at \(address)") }
    return watch
  }
}

/// Keeps the page up to date.
final class MetricsWatch: CheckWatcher {
  private static let noVerdict = "error"

  private struct State {
    var page = "# the check has not begun\n"
    /// As it was last told.
    var run: LiveRun?
    var written: ContinuousClock.Instant?
    var hasVerdict = false
    var hasFailed = false
  }

  private let state: Page
  private let file: FilePath?
  private let server: HTTPServer?
  private let linger: Duration

  /// What server and writer share.
  private final class Page: Sendable {
    let value = Mutex(State())
  }

  init(file: FilePath?, listen: String?, linger: Duration) throws {
    let state = Page()
    self.state = state
    self.file = file
    self.linger = linger
    // A folder that is not there is found out before the training.
    if let file { try FileSystem.writeAtomically(Array(State().page.utf8), to: file) }
    server = try listen.map { text in
      try HTTPServer(on: try ListenAddress(parsing: text)) { path in
        guard path == "/metrics" else { return nil }
        return HTTPServer.Page(contentType: MetricsText.contentType, body: Array(state.value.withLock { $0.page }.utf8))
      }
    }
  }

  /// Where it can be asked.
  var address: String? { server.map { "http://\($0.address)/metrics" } }

  func changed(to run: LiveRun) {
    let text = MetricsText(run, now: .now).text
    let isDue = state.value.withLock { state in
      state.page = text
      state.run = run
      state.hasVerdict = run.outcome != nil
      let now = ContinuousClock.now
      // Nobody reads the file more than once a second, and each writing waits for the disk.
      if !state.hasVerdict, let last = state.written, now - last < .seconds(1) { return false }
      state.written = now
      return !state.hasFailed
    }
    guard isDue, let file else { return }
    do {
      try FileSystem.writeAtomically(Array(text.utf8), to: file)
    } catch {
      state.value.withLock { $0.hasFailed = true }
      Console.tell("warning: metrics are not kept any more: \(error)")
    }
  }

  /// Offers the last page for as long as was asked for, and ends. A check that has come to no verdict by now comes to none.
  func finish() {
    let (run, hasVerdict) = state.value.withLock { ($0.run, $0.hasVerdict) }
    if var run, !hasVerdict {
      run.outcome = Self.noVerdict
      changed(to: run)
    }
    guard let server else { return }
    if state.value.withLock({ $0.hasVerdict }) { usleep(UInt32(linger.seconds * 1_000_000)) }
    server.stop()
  }
}
