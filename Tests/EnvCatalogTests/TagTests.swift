/// The tag grammars: every known tag is taken apart and put together again, and nothing else passes.
import EnvCore
import OCI
import SystemPackage
import Testing

@testable import EnvCatalog

/// The catalog this repository ships.
let shippedCatalog = Catalog(
  root: FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent())

@Suite struct TagTests {
  static let releases: [(tag: String, cuda: String?, cudnn: String?, tensorRT: String?)] = [
    ("2.6.0", nil, nil, nil), ("3.0.0", nil, nil, nil), ("3.0.0b2", nil, nil, nil), ("2.6.0-jupyter", nil, nil, nil),
    ("2.1.0-gpu-cuda10.2-cudnn7", "10.2", "7", nil), ("2.3.2-gpu-cuda11.2-cudnn8", "11.2", "8", nil),
    ("2.6.0-gpu-cuda11.2-cudnn8.2-trt8.0", "11.2", "8.2", "8.0"), ("2.6.1-gpu-cuda11.7-cudnn8.4-trt8.4", "11.7", "8.4", "8.4"),
    ("2.6.2-gpu-cuda12.0-cudnn8.9-trt8.6", "12.0", "8.9", "8.6"), ("2.6.0-gpu-cuda11.8-cudnn8", "11.8", "8", nil),
    ("3.0.0-gpu-cuda12.6-cudnn9.5-trt10.5", "12.6", "9.5", "10.5"), ("3.0.0b0-gpu-cuda12.3-cudnn9.0-trt8.6", "12.3", "9.0", "8.6"),
    ("3.0.0b1-gpu-cuda11.8-cudnn8.6-trt8.5", "11.8", "8.6", "8.5"), ("3.1.0-gpu-cuda11.8-cudnn8.9", "11.8", "8.9", nil),
    ("3.1.0-gpu-cuda12.6-cudnn9.5", "12.6", "9.5", nil), ("3.2.0-gpu-cuda12.9-cudnn9.9", "12.9", "9.9", nil),
    ("3.3.0-gpu-cuda13.0-cudnn9.13", "13.0", "9.13", nil), ("3.3.0-gpu-cuda12.6-cudnn9.5", "12.6", "9.5", nil),
  ]

  @Test(arguments: releases) func release(_ tag: String, _ cuda: String?, _ cudnn: String?, _ tensorRT: String?) throws {
    let parsed = try PaddleTag(parsing: tag)
    let build = FrameworkBuild(parsed)
    #expect(build.version.description == tag.prefix { $0 != "-" })
    #expect([build.cuda?.description, build.cudnn?.description, build.tensorRT?.description] == [cuda, cudnn, tensorRT])
    #expect(parsed.description == tag)
  }

  @Test(arguments: [
    "latest", "latest-gpu", "latest-dev", "latest-dev-cuda12.0-cudnn8.9-trt8.6-gcc12.2", "latest-gpu-cuda11.8-cudnn8", "3.0-nightly",
    "nightly", "2.6.0-nightly-gpu", "dev", "develop",
  ])
  func moving(_ tag: String) throws {
    let error = try #require(throws: TagError.self) { try PaddleTag(parsing: tag) }
    #expect(error == .moving(tag))
    #expect(error.exitCode == .policy)
  }

  @Test(arguments: [
    "", "-", "2.6", "2.6.0.1", "v2.6.0", "2.6.0-gpu", "2.6.0-cpu", "2.6.0-gpu-cuda11-cudnn8", "2.6.0-gpu-cuda11.8",
    "2.6.0-gpu-cudnn8-cuda11.8",
    "2.6.0-gpu-cuda11.8-cudnn8-trt8", "2.6.0-gpu-cuda11.8-cudnn8.9.1", "2.6.0-gpu-cuda11.8-cudnn", "2.6.0-gpu-cuda11.08-cudnn8",
    "2.6.0-gpu-cuda11.8-cudnn8-trt8.5-gcc82", "2.6.0-jupyter-gpu", "2.6.0--gpu", "2.6.0-", "2.6.0rc", "02.6.0", "2.6.0-GPU-cuda11.8-cudnn8",
    "2.6.0-gpu-cuda١١.8-cudnn8",
  ])
  func malformed(_ tag: String) throws {
    let error = try #require(throws: TagError.self) { try PaddleTag(parsing: tag) }
    guard case .malformed = error else { return #expect(Bool(false), "\(error)") }
    #expect(error.exitCode == .usage)
  }

  @Test("every tag the catalog lists survives the round trip") func listed() throws {
    let images = try shippedCatalog.published("paddle").images
    #expect(images.count > 140)
    for image in images { #expect(try PaddleTag(parsing: "\(image.tag)") == image.tag) }
  }

  @Test("what the catalog knows of a tag holds for the registries that carry it") func knownByReference() throws {
    func known(_ text: String) throws -> PublishedImage? { try shippedCatalog.publishedImage(try ImageReference(parsing: text)) }
    let image = try #require(try known("docker.io/paddlepaddle/paddle:2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4"))
    #expect(image.computeCapabilities?.map(\.description) == ["6.0", "6.1", "7.0", "7.5", "8.0", "8.6"])
    #expect(try known("docker.io/paddlepaddle/paddle:2.6.0-gpu-cuda12.0-cudnn8.9-trt8.6")?.computeCapabilities == nil)
    #expect(try known("registry.example/paddle:2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4") == nil)
    #expect(try known("docker.io/paddlepaddle/paddle:nobody-made-this") == nil)
    #expect(try known("docker.io/paddlepaddle/paddle@sha256:\(String(repeating: "a", count: 64))") == nil)
  }

  static let nvidia: [(tag: String, cudnn: CUDATag.CuDNN, flavor: CUDATag.Flavor, system: String)] = [
    ("12.2.0-cudnn8-devel-ubuntu22.04", .major(8), .devel, "ubuntu22.04"), ("11.8.0-cudnn8-runtime-ubi8", .major(8), .runtime, "ubi8"),
    ("10.2.89-cudnn7-devel-centos7", .major(7), .devel, "centos7"), ("12.8.1-cudnn-devel-rockylinux9", .untold, .devel, "rockylinux9"),
    ("12.4.1-cudnn-runtime-ubuntu22.04", .untold, .runtime, "ubuntu22.04"), ("12.2.0-base-ubuntu22.04", .none, .base, "ubuntu22.04"),
    ("13.0.0-devel-opensuse15.6", .none, .devel, "opensuse15.6"),
  ]

  @Test(arguments: nvidia) func cuda(_ tag: String, _ cudnn: CUDATag.CuDNN, _ flavor: CUDATag.Flavor, _ system: String) throws {
    let parsed = try CUDATag(parsing: tag)
    #expect(parsed.cudnn == cudnn && parsed.flavor == flavor && parsed.system == system)
    #expect(parsed.description == tag)
  }

  @Test(arguments: [
    "", "12.2.0", "12.2.0-ubuntu22.04", "12.2.0-devel", "12.2.0-devel-", "12.2.0-devel-22.04", "12.2.0-cudnn8-base-ubuntu22.04",
    "12.2.0-cudnnX-devel-ubuntu22.04", "12.2.0-cudnn8.9-devel-ubuntu22.04", "12.2.0-devel-cudnn8-ubuntu22.04", "12.2.0-devel-ubuntu22.04-x",
    "12.02.0-devel-ubuntu22.04", "12.2.0-devel-Ubuntu22.04", "12-devel-ubuntu22.04",
  ])
  func malformedCUDA(_ tag: String) { #expect(throws: TagError.self) { try CUDATag(parsing: tag) } }

  @Test(arguments: ["latest", "latest-devel", "11.8-devel-ubuntu22.04", "11.0-cudnn8-devel-ubuntu18.04"])
  func movingCUDA(_ tag: String) { #expect(throws: TagError.moving(tag)) { try CUDATag(parsing: tag) } }

  @Test func madeByItsParts() throws {
    func tag(_ version: String, _ cudnn: String?, _ flavor: CUDATag.Flavor, _ system: String = "ubuntu22.04") throws -> String {
      let made = try CUDATag(
        version: try #require(Version(parsing: version)), cudnn: cudnn.flatMap { Version(parsing: $0) }, flavor: flavor, system: system)
      #expect(try CUDATag(parsing: "\(made)") == made)
      return "\(made)"
    }
    #expect(try tag("12.2.0", "8", .devel) == "12.2.0-cudnn8-devel-ubuntu22.04")
    #expect(try tag("12.3.2", "9.0.0", .runtime) == "12.3.2-cudnn9-runtime-ubuntu22.04")
    #expect(try tag("12.8.1", "9", .devel) == "12.8.1-cudnn-devel-ubuntu22.04")
    #expect(try tag("12.2.0", nil, .base, "ubi8") == "12.2.0-base-ubi8")
    #expect(throws: TagError.self) { try tag("12.2.0", "8", .base) }
    #expect(throws: TagError.self) { try tag("12.2", "8", .devel) }
    #expect(throws: TagError.self) { try tag("12.2.0", "8", .devel, "22.04") }
  }

  @Test("what is accepted of random mutations prints as what was read") func mutations() {
    var generator = SplitMix(state: 3)
    let seeds = Self.releases.map(\.tag) + Self.nvidia.map(\.tag)
    let pool = Array("0123456789.-abcdefgnprtuv\u{0}/:@é".unicodeScalars)
    var accepted = 0
    for round in 0..<20_000 {
      var scalars = Array(seeds[round % seeds.count].unicodeScalars)
      for _ in 0...Int.random(in: 0...3, using: &generator) where !scalars.isEmpty {
        let place = Int.random(in: 0..<scalars.count, using: &generator)
        let scalar = pool[Int.random(in: 0..<pool.count, using: &generator)]
        switch Int.random(in: 0...2, using: &generator) {
        case 0: scalars[place] = scalar
        case 1: scalars.insert(scalar, at: place)
        default: scalars.remove(at: place)
        }
      }
      let text = String(String.UnicodeScalarView(scalars))
      if let tag = try? PaddleTag(parsing: text) {
        accepted += 1
        #expect(tag.description == text)
      }
      if let tag = try? CUDATag(parsing: text) {
        accepted += 1
        #expect(tag.description == text)
      }
    }
    #expect(accepted > 500)
  }
}

/// A small generator with a fixed seed, so that a failure comes back (Steele, Lea, Flood 2014).
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
