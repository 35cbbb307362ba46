/// `envctl model scan`: what is in a model's file besides tensors?
import ArgumentParser
import EnvCore
import EnvModels
import SystemPackage

struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Look at model files.", subcommands: [ModelScanCommand.self])
}

struct ModelScanCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Report what a model file holds beyond tensors and plain containers, without executing anything in it.",
    discussion: """
      Pickles (.pdparams, .pdopt, .pt, .pth, .pkl, .bin), alone, in PyTorch's archives and in numpy's files, are followed instruction by \
      instruction; headers of safetensors are held against the file. What a file is, is read from its bytes. With findings it ends with status 4.
      """)

  @Argument(help: "The files.", completion: .file())
  var files: [String]

  @Option(name: .customLong("allow"), help: ArgumentHelp("A global name that is to be trusted.", valueName: "module.name"))
  var allowed: [String] = []

  @Option(help: "How the result is printed on stdout: text or json.")
  var format: OutputFormat = .text

  var wantsJSON: Bool { format == .json }

  func run() throws {
    let scanner = ModelScanner()
    let reports = try files.map { Report(file: $0, try scanner.scan(FilePath($0)), allowing: allowed) }
    switch format {
    case .json: try Console.printJSON(["files": reports])
    case .text: for report in reports { try Console.printResult(report.lines) }
    }
    let refused = reports.filter { !$0.findings.isEmpty }
    guard !refused.isEmpty else { return }
    guard format == .text else { throw Ending(.policy) }
    throw ModelError.found(files: refused.map(\.file), count: refused.reduce(0) { $0 + $1.findings.count })
  }

  private struct Report: Encodable {
    var file: String
    var format: ModelScan.Format
    /// Bytes.
    var size: Int64
    var pickles: Int
    var globals: [String]
    var findings: [ModelFinding]
    var allowed: [ModelFinding]

    init(file: String, _ scan: ModelScan, allowing names: [String]) {
      self.file = file
      (format, size, pickles, globals) = (scan.format, scan.size, scan.pickles, scan.globals)
      (findings, allowed) = scan.judged(allowing: names)
    }

    var lines: [String] {
      let content = pickles > 0 ? ", \(pickles) pickle\(pickles == 1 ? "" : "s")" : ""
      let verdict = findings.isEmpty ? (format == .unrecognised ? ": no format that is looked into" : ": nothing beyond tensors") : ":"
      return ["\(file): \(format.rawValue)\(content)\(verdict)"] + findings.map { "  \($0)" } + allowed.map { "  \($0) (allowed)" }
    }
  }
}
