/// From triples to images: what was published is found, what never was gets its neighbours, and nothing is chosen silently.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage
import TestSupport
import Testing

@testable import EnvCatalog

private func triple(_ version: String, _ cuda: String? = nil, _ cudnn: String? = nil, _ tensorRT: String? = nil) throws -> Triple {
  try Triple(framework: .paddle, version: version, cuda: cuda, cudnn: cudnn, tensorRT: tensorRT)
}

@Suite struct TripleTests {
  static let published: [(version: String, cuda: String, cudnn: String, tag: String, evidence: Evidence)] = [
    ("2.6.0", "11.2", "8", "2.6.0-gpu-cuda11.2-cudnn8.2-trt8.0", .published),
    ("2.6.1", "11.7", "8.4", "2.6.1-gpu-cuda11.7-cudnn8.4-trt8.4", .published),
    ("2.6.2", "12", "8", "2.6.2-gpu-cuda12.0-cudnn8.9-trt8.6", .published),
    ("2.1.0", "10.2", "7", "2.1.0-gpu-cuda10.2-cudnn7", .published),
    ("3.0.0", "12.6", "9.5", "3.0.0-gpu-cuda12.6-cudnn9.5-trt10.5", .published),
    ("3.0.0b1", "11.8", "8", "3.0.0b1-gpu-cuda11.8-cudnn8.6-trt8.5", .published),
    ("3.1.0", "12.6", "9", "3.1.0-gpu-cuda12.6-cudnn9.5", .published),
    ("3.3.0", "13", "9.13", "3.3.0-gpu-cuda13.0-cudnn9.13", .published),
    ("3.3.0", "12.6", "9", "3.3.0-gpu-cuda12.6-cudnn9.5", .thirdParty),
  ]

  @Test(arguments: published)
  func found(_ version: String, _ cuda: String, _ cudnn: String, _ tag: String, _ evidence: Evidence) throws {
    guard case .published(let image, let references) = try shippedCatalog.resolve(triple(version, cuda, cudnn)) else {
      return #expect(Bool(false), "not a published image")
    }
    #expect("\(image.tag)" == tag)
    #expect(image.evidence == evidence)
    #expect(
      references.map(\.description) == [
        "registry.baidubce.com/paddlepaddle/paddle:\(tag)", "ccr-2vdh3abv-pub.cnc.bj.baidubce.com/paddlepaddle/paddle:\(tag)",
        "docker.io/paddlepaddle/paddle:\(tag)",
      ])
  }

  static let never: [(version: String, cuda: String?, cudnn: String?, nearest: [String], isProven: Bool)] = [
    (
      "2.6.0", "11.6", "8",
      ["2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4", "2.6.0-gpu-cuda11.2-cudnn8.2-trt8.0", "2.6.0-gpu-cuda12.0-cudnn8.9-trt8.6"], true
    ),
    (
      "2.6.1", "12.3", "9",
      [
        "2.6.1-gpu-cuda12.0-cudnn8.9-trt8.6", "2.6.1-gpu-cuda11.7-cudnn8.4-trt8.4", "2.6.1-gpu-cuda11.2-cudnn8.2-trt8.0",
        "3.0.0-gpu-cuda12.3-cudnn9.0-trt8.6",
      ], true
    ),
    (
      "2.6.2", "11.7", "8.9",
      ["2.6.2-gpu-cuda11.7-cudnn8.4-trt8.4", "2.6.2-gpu-cuda11.2-cudnn8.2-trt8.0", "2.6.2-gpu-cuda12.0-cudnn8.9-trt8.6"], true
    ),
    (
      "2.3.2", "11.8", "8",
      ["2.3.2-gpu-cuda11.2-cudnn8", "2.3.2-gpu-cuda10.2-cudnn7", "2.3.1-gpu-cuda11.2-cudnn8", "3.0.0-gpu-cuda11.8-cudnn8.9-trt8.6"], false
    ),
    ("4.0.0", nil, nil, ["3.3.1", "3.3.0", "3.2.2"], false),
  ]

  @Test(arguments: never)
  func neverPublished(_ version: String, _ cuda: String?, _ cudnn: String?, _ nearest: [String], _ isProven: Bool) throws {
    let triple = try triple(version, cuda, cudnn)
    let error = try #require(throws: TripleError.self) { try shippedCatalog.resolve(triple) }
    guard case .neverPublished(triple, let found, nil, isProven) = error else { Issue.record("unexpected \(error)"); return }
    // Each with how it is known.
    #expect(found.map { String($0.prefix { $0 != " " }) } == nearest)
    #expect(error.exitCode == .usage)
    #expect(error.hint?.contains(nearest[0]) == true)
  }

  @Test func nothingIsChosenSilently() throws {
    let several = try triple("2.6.0", "11")
    #expect(
      throws: TripleError.ambiguous(
        several,
        candidates: ["paddle-2.6.0-gpu-cuda11.8-cudnn8", "2.6.0-gpu-cuda11.2-cudnn8.2-trt8.0", "2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4"],
        openParts: ["cuda", "cudnn", "trt", "python"])
    ) { try shippedCatalog.resolve(several) }
    let series = try #require(throws: TripleError.self) { try shippedCatalog.resolve(try triple("2.6")) }
    guard case .ambiguous(_, let candidates, let parts) = series else { return #expect(Bool(false), "\(series)") }
    #expect(candidates == ["paddle-2.6-cpu", "2.6.0", "2.6.1", "2.6.2"])
    #expect(parts.first == "version")
  }

  @Test func pinnedEntryGoesFirst() throws {
    guard case .catalog(let entry, let build, _, let isPublished) = try shippedCatalog.resolve(try triple("2.6.2")) else {
      return #expect(Bool(false), "not the catalog's")
    }
    #expect(entry.name == "paddle-2.6-cpu")
    #expect(build.python?.description == "3.11")
    #expect(isPublished)
    // The published image has another Python.
    let other = try Triple(framework: .paddle, version: "2.6.2", python: "3.10")
    guard case .published(let image, _) = try shippedCatalog.resolve(other) else { return #expect(Bool(false)) }
    #expect("\(image.tag)" == "2.6.2")
  }

  @Test("what everybody quotes and nobody published is made here") func quoted() throws {
    for cudnn in [nil, "8", "8.6"] {
      guard case .catalog(let entry, _, let nearest, let isPublished) = try shippedCatalog.resolve(try triple("2.6.0", "11.8", cudnn))
      else {
        return #expect(Bool(false), "not the catalog's")
      }
      #expect(entry.name == "paddle-2.6.0-gpu-cuda11.8-cudnn8")
      #expect(!isPublished)
      #expect(nearest.map { "\($0.tag)" }.prefix(2) == ["2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4", "2.6.0-gpu-cuda11.2-cudnn8.2-trt8.0"])
    }
    #expect(throws: TripleError.self) { try shippedCatalog.resolve(try triple("2.6.0", "11.8", "8.9")) }
    #expect(throws: TripleError.self) { try shippedCatalog.resolve(try triple("2.6.1", "11.8", "8")) }
  }

  @Test func wordsThatAreNoVersions() throws {
    #expect(throws: TripleError.malformed(part: "version", text: "latest")) { try triple("latest") }
    #expect(throws: TripleError.malformed(part: "cuda", text: "11.x")) { try triple("2.6.0", "11.x") }
    #expect(throws: TripleError.malformed(part: "cudnn", text: "08")) { try triple("2.6.0", "11.8", "08") }
    #expect(throws: TripleError.partWithoutCUDA("cudnn")) { try triple("2.6.0", nil, "8") }
    #expect(throws: TripleError.partWithoutCUDA("trt")) { try triple("2.6.0", nil, nil, "8.6") }
  }

  @Test func recipesAreNamed() throws {
    try withCatalog { catalog in
      let name = "paddle-2.6.0-gpu-cuda11.8-cudnn8"
      try FileSystem.createDirectories(catalog.root.appending("images").appending(name))
      for cudnn in ["8", "8.6", "8.6.0.163"] {
        let wanted = try triple("2.6.0", "11.8", cudnn)
        let error = try #require(throws: TripleError.self) { try catalog.resolve(wanted) }
        guard case .neverPublished(_, _, let recipe, _) = error else { return #expect(Bool(false), "\(error)") }
        #expect(recipe == name, "\(cudnn)")
        #expect(error.hint?.hasPrefix("`envctl image build \(name)` makes it from packages; nearest: 2.6.0-gpu-") == true)
      }
      let other = try #require(throws: TripleError.self) { try catalog.resolve(try triple("2.6.0", "11.8", "9")) }
      guard case .neverPublished(_, _, nil, _) = other else { return #expect(Bool(false), "\(other)") }
      // Once its image is pinned, the triple leads to it.
      let digest = Digest(sha256Bytes: [UInt8](repeating: 9, count: 32))
      let text =
        "schema: 1\nname: \(name)\nframework: paddle\nversion: 2.6.0\ncuda: 11.8\ncudnn: 8.6\ndriver: 450.80.02\nrecipe: \(name)\n"
        + "images:\n  linux/amd64: \(digest)\n"
      try FileSystem.writeAtomically(Array(text.utf8), to: catalog.root.appending("manifests/\(name).yaml"))
      guard case .catalog(let entry, _, let nearest, false) = try catalog.resolve(try triple("2.6.0", "11.8", "8")) else {
        return #expect(Bool(false), "not the catalog's")
      }
      #expect(entry.driver?.description == "450.80.02")
      #expect(nearest.map { "\($0.tag)" }.first == "2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4")
      #expect(throws: TripleError.self) { try catalog.resolve(try triple("2.6.0", "11.8", "8.7")) }
    }
  }

  /// A catalog with the shipped list of published images and nothing else.
  private func withCatalog(_ body: (Catalog) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try FileSystem.createDirectories(folder.appending("manifests/published"))
      try FileSystem.createDirectories(folder.appending("images"))
      let list = try FileSystem.readFile(shippedCatalog.root.appending("manifests/published/paddle.yaml"))
      try FileSystem.writeAtomically(list, to: folder.appending("manifests/published/paddle.yaml"))
      try body(Catalog(root: folder))
    }
  }
}

@Suite struct PublishedImagesTests {
  private func read(_ releases: String, product: String = "paddle", repositories: String = "[docker.io/paddlepaddle/paddle]") throws
    -> PublishedImages
  {
    let text = "schema: 1\nproduct: \(product)\nrepositories: \(repositories)\nreleases:\n\(releases)"
    return try PublishedImages(try YAMLNode.parse(Array(text.utf8), file: "p.yaml"), product: "paddle")
  }

  static let mistakes: [(release: String, message: String)] = [
    ("  - version: 2.6.0\n    published: [2.6.1]\n", "6:17: expected a tag of release 2.6.0, found '2.6.1'"),
    ("  - version: 2.6.0\n    published: [latest]\n", "6:17: the tag 'latest' moves"),
    ("  - version: 2.6.0\n    published: [2.6.0]\n    reported: [2.6.0]\n", "7:16: the tag '2.6.0' is listed twice"),
    ("  - version: two\n", "5:14: expected a version such as 2.6.0"), ("  - version: 2.6.0\n    publishd: []\n", "unknown key 'publishd'"),
    ("  - version: 2.6.0\n    python: three\n", "6:13: expected a version such as 11.8"),
    ("  - version: 2.6.0\n    compute: {x: []}\n", "expected a CUDA version such as 11"),
    ("  - version: 2.6.0\n    reported-digests: {2.6.0: x}\n", "'x' is not a digest"),
    (
      "  - version: 2.6.0\n    reported-digests:\n      2.6.0: sha256:\(String(repeating: "0", count: 64))\n",
      "'2.6.0' is no tag of this release"
    ),
  ]

  @Test(arguments: mistakes) func mistake(_ release: String, _ message: String) throws {
    let error = try #require(throws: YAMLError.self) { try read(release) }
    #expect(error.summary.contains(message), "\(error.summary)")
  }

  @Test func headOfTheFile() throws {
    #expect(throws: YAMLError.self) { try read("", product: "cuda") }
    #expect(throws: YAMLError.self) { try read("", repositories: "[docker.io/paddlepaddle/paddle:2.6.0]") }
    #expect(throws: YAMLError.self) { try read("", repositories: "docker.io/x") }
    #expect(throws: YAMLError.self) { try read("", repositories: "[]") }
  }

  @Test("what the shipped lists say of themselves") func shipped() throws {
    let list = try shippedCatalog.published("paddle")
    for release in ["2.6.0", "2.6.1", "2.6.2"] {
      let version = try #require(ReleaseVersion(parsing: release))
      #expect(list.completeReleases.contains(version))
      let builds = list.images.filter { $0.tag.version == version }.map(\.build).filter { $0.cuda != nil }
      #expect(builds.count == 3)
      #expect(builds.allSatisfy { $0.python?.description == "3.10" })
    }
    let reported = list.images.filter { $0.reportedDigest != nil }
    #expect(reported.map { "\($0.tag)" } == ["3.0.0", "3.3.0-gpu-cuda12.6-cudnn9.5"])
    #expect(reported.allSatisfy { $0.evidence == .thirdParty })
    #expect(
      try shippedCatalog.published("cuda").references(tag: "x").map(\.description) == ["docker.io/nvidia/cuda:x", "nvcr.io/nvidia/cuda:x"])
    for name in try shippedCatalog.names() { _ = try shippedCatalog.entry(name) }
  }
}
