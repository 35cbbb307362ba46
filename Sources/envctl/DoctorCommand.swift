/// `envctl doctor`: can this host start containers, and if not, what is to be done?
import ArgumentParser
import ChildProcess
import EnvCore
import EnvHost
import EnvLaunch
import Glibc
import SafeFS
import SystemPackage

struct DoctorCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Look at this host: what works, what does not, what it means for you, and how to mend it.",
    discussion: "Ends with status 6 when something stands in the way of `envctl up`. Nothing is changed.")

  @OptionGroup var common: CommonOptions

  @Option(help: "The root of another host's file system; its programs are not run.", completion: .directory)
  var root = "/"

  func run() throws {
    let host = try HostTree(root: FilePath(root))
    let account = getpwuid(geteuid())
    let variables = ProcessEnvironment.inherited
    let caller = HostFacts.Caller(
      name: account.map { String(cString: $0.pointee.pw_name) }, uid: geteuid(), gid: getegid(),
      locale: ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { variables[$0] }.first { !$0.isEmpty })
    let facts = try HostFacts(host, home: try common.home(), caller: caller, isLive: root == "/")
    let findings = Examination.findings(facts)
    switch common.format {
    case .json: try Console.printJSON(findings)
    case .text: for finding in findings { try Console.printResult(Self.lines(finding)) }
    }
    if findings.contains(where: { $0.level == .problem }) { throw Ending(.host) }
  }

  private static func lines(_ finding: Finding) -> [String] {
    let level = finding.level.rawValue
    let head = level + String(repeating: " ", count: 9 - level.count) + finding.check + ": " + finding.found
    let indent = String(repeating: " ", count: 9)
    return [head] + [finding.meaning, finding.mend.map { "mend: " + $0 }].compactMap { $0.map { indent + $0 } }
  }
}
