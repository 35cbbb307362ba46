/// `envctl resolve …`: which image a triple means, how that is known, and what a host needs for it. It asks no registry.
import ArgumentParser
import EnvCatalog
import EnvCore
import OCI

struct ResolveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resolve", abstract: "Say which image a framework's version, CUDA and cuDNN mean.",
    discussion: """
      Nothing is fetched. A published image is named and not pinned: `envctl lock` pins it through its registry. A triple that was never \
      published, and one that several images match, end with status 2 and the images that come nearest.
      """,
    subcommands: [ResolvePaddleCommand.self, ResolveCUDACommand.self])
}

struct ResolvePaddleCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "paddle", abstract: "Find the image of a PaddlePaddle release.",
    discussion: """
      A version may be the beginning of one: --cudnn 8 is any 8.x. Without --cuda the build for the processor is meant. \
      envctl does not choose between several images: say which.
      """)

  @OptionGroup var common: CommonOptions

  @Option(help: "The framework's version, such as 2.6.0 or 3.0.0b1.")
  var version: String

  @Option(help: "CUDA, such as 11.8.")
  var cuda: String?

  @Option(help: "cuDNN, such as 8 or 8.9.")
  var cudnn: String?

  @Option(help: "TensorRT, such as 8.6.")
  var trt: String?

  @Option(help: "Python, such as 3.10.")
  var python: String?

  func run() throws {
    let triple = try Triple(framework: .paddle, version: version, cuda: cuda, cudnn: cudnn, tensorRT: trt, python: python)
    let document = ResolutionDocument(triple, try common.catalog().resolve(triple))
    switch common.format {
    case .text: try Console.printResult(document.lines)
    case .json: try Console.printJSON(document)
    }
  }
}

struct ResolveCUDACommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "cuda", abstract: "Name NVIDIA's own CUDA image.",
    discussion: "The name is made by NVIDIA's tag grammar. Whether it exists, or exists no more, only a registry knows.")

  @OptionGroup var common: CommonOptions

  @Option(help: "CUDA with all three numbers, such as 12.2.0.")
  var version: String

  @Option(help: "cuDNN, such as 8; leave it out for an image without.")
  var cudnn: String?

  @Option(help: "The distribution and its release, such as ubuntu22.04 or rockylinux9.")
  var os: String

  @Option(help: "What it holds: base, runtime or devel.")
  var flavor = CUDATag.Flavor.runtime

  func run() throws {
    guard let cuda = Version(parsing: version) else { throw TripleError.malformed(part: "cuda", text: version) }
    let asked = try cudnn.map { text throws in
      guard let version = Version(parsing: text) else { throw TripleError.malformed(part: "cudnn", text: text) }
      return version
    }
    let tag = try CUDATag(version: cuda, cudnn: asked, flavor: flavor, system: os)
    let references = try common.catalog().published("cuda").references(tag: "\(tag)")
    let document = ResolutionDocument(tag, references)
    switch common.format {
    case .text: try Console.printResult(document.lines)
    case .json: try Console.printJSON(document)
    }
  }
}

extension CUDATag.Flavor: ExpressibleByArgument {}
