/// `envctl gpu`: what this host could pass to a container, and the specification that would do it.
import ArgumentParser
import CDI
import EnvCore
import EnvGPU
import SafeFS
import SystemPackage

struct GPUCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gpu", abstract: "Look at the host's GPUs as containers would get them.",
    subcommands: [GPUListCommand.self, GPUSpecCommand.self])
}

/// Which host is looked at.
struct HostOptions: ParsableArguments {
  @Option(help: "The root of the host's file system.", completion: .directory)
  var root = "/"

  @Option(help: "How the result is printed on stdout: text or json.")
  var format: OutputFormat = .text

  func inventory() throws -> GPUInventory {
    let inventory = try GPUInventory(try HostTree(root: FilePath(root)), folders: ToolOptions.specificationFolders)
    for (path, error) in inventory.installed.broken { Console.tell("warning: \(path): \(error.cause ?? error)") }
    return inventory
  }
}

struct GPUListCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the devices that can be named after --gpu.",
    discussion: "Devices come from the CDI specifications in /etc/cdi and /var/run/cdi; kinds without one are found by envctl itself.")

  @OptionGroup var options: HostOptions

  var wantsJSON: Bool { options.format == .json }

  func run() throws {
    let inventory = try options.inventory()
    let listings = inventory.listings
    switch options.format {
    case .json: try Console.printJSON(Document(inventory, listings))
    case .text:
      for note in inventory.generated.flatMap(\.notes) { Console.tell("note: " + note) }
      if listings.isEmpty { Console.tell("no GPU was found") }
      for listing in listings { try Console.printResult(Self.line(listing)) }
    }
  }

  private static func line(_ listing: GPUListing) -> String {
    if let problem = listing.problem { return "\(listing.device)  unusable: \(problem)" }
    let facts = [
      listing.model, listing.computeCapability.map { "compute \($0)" }, listing.uuid, listing.isVerified ? nil : "unverified",
      listing.source,
    ]
    return listing.device + "  " + facts.compactMap { $0 }.joined(separator: ", ")
  }

  private struct Document: Encodable {
    var devices: [GPUListing]
    var driver: String?
    var notes: [String]

    init(_ inventory: GPUInventory, _ listings: [GPUListing]) {
      devices = listings
      driver = inventory.nvidia.flatMap { $0.driver ?? $0.libraries.version }?.description
      notes = inventory.generated.flatMap(\.notes)
    }
  }
}

struct GPUSpecCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "spec", abstract: "Print the CDI specification envctl makes for a kind of device that has none installed.",
    discussion: "It is JSON in either format. Written to a file such as /etc/cdi/nvidia.json, every program that reads CDI can use it.")

  @OptionGroup var options: HostOptions

  @Argument(help: "The kind, such as nvidia.com/gpu; not needed where there is only one.")
  var kind: String?

  var wantsJSON: Bool { options.format == .json }

  func run() throws {
    let specs = try options.inventory().generated
    let known = specs.map(\.spec.kind.description)
    let chosen = kind.map { kind in specs.filter { $0.spec.kind.description == kind } } ?? specs
    guard let made = chosen.first else { throw NoGeneratedSpec(kind: kind, known: known) }
    guard chosen.count == 1 else { throw ValidationError("name one of the kinds " + known.joined(separator: ", ")) }
    for note in made.notes { Console.tell("note: " + note) }
    try Console.printJSON(made.spec)
  }
}

/// The host has nothing of the kind, or its vendor's own specification is installed.
struct NoGeneratedSpec: Diagnostic {
  let kind: String?
  let known: [String]

  var summary: String { "there is no specification to make" + (kind.map { " for '\($0)'" } ?? " on this host") }
  var hint: String? {
    known.isEmpty
      ? "kinds with a specification in /etc/cdi or /var/run/cdi keep theirs: `envctl gpu list`" : "known: " + known.joined(separator: ", ")
  }
  var exitCode: EnvCore.ExitCode { .host }
}
