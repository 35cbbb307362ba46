/// The lock: what is written comes back, what is damaged, old or altered is told, and facts come from the image alone.
import EnvCore
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvCatalog

private func digest(_ byte: UInt8) -> Digest { Digest(sha256Bytes: [UInt8](repeating: byte, count: 32)) }

private func image(layer: UInt8 = 2, size: Int64 = 9, variables: [String] = []) throws -> EnvironmentLock.Image {
  let config = ImageConfig(platform: .host, created: nil, config: .init(environment: variables), diffIDs: [digest(layer)], history: [])
  let manifest = ImageManifest(
    config: Descriptor(mediaType: .imageConfig, digest: digest(4), size: 40),
    layers: [Descriptor(mediaType: .layerGzip, digest: digest(3), size: size)])
  return try EnvironmentLock.Image(
    manifest: EnvironmentLock.Document(digest: digest(1), mediaType: .imageManifest, size: 100), manifest, config)
}

@Suite struct LockTests {
  @Test func roundTrip() throws {
    try withTemporaryFolder { folder in
      #expect(try EnvironmentLock.read(in: folder) == nil)
      let lock = EnvironmentLock(
        environment: .triple(try Triple(framework: .paddle, version: "2.6.0", cuda: "11.7")),
        resolved: try EnvironmentSource(parsing: "docker.io/paddlepaddle/paddle:2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4"), index: digest(7),
        images: ["linux/amd64": try image(variables: ["CUDA_VERSION=11.7.1", "NV_CUDNN_VERSION=8.4.1.50"])], baseline: digest(8),
        signatures: [.init(key: digest(5), kind: "cosign-v1", digest: digest(7), reference: "docker.io/x")], allowedUnpinned: ["EC101"])
      try lock.write(in: folder)
      #expect(try EnvironmentLock.read(in: folder) == lock)
      let bytes = try FileSystem.readFile(folder.appending("envctl.lock"))
      try lock.write(in: folder)
      #expect(try FileSystem.readFile(folder.appending("envctl.lock")) == bytes)
      let text = String(decoding: bytes, as: UTF8.self)
      for part in [#""environment" : "paddle 2.6.0, CUDA 11.7""#, #""cudnn" : "8.4.1.50""#, #""floor" : "450.80.02""#, #""schema" : 2"#] {
        #expect(text.contains(part), "\(part)")
      }
    }
  }

  @Test("any cut or changed schema ends in one clear error") func refused() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("envctl.lock")
      for schema in [1, 3, 99, -1] {
        try FileSystem.writeAtomically(Array(#"{"schema": \#(schema), "all": "new"}"#.utf8), to: file)
        let error = try #require(throws: CatalogError.self) { try EnvironmentLock.read(in: folder) }
        guard case .otherLockSchema(_, schema, 2) = error else { return #expect(Bool(false), "\(error)") }
        #expect(error.hint?.contains("`envctl lock`") == true || error.hint?.contains("let `envctl lock`") == true)
        #expect(error.exitCode == .usage)
      }
      let lock = EnvironmentLock(environment: .source(.catalog("e")), resolved: .catalog("e"), images: ["linux/amd64": try image()])
      let whole = try CanonicalJSON.encode(lock)
      for length in 0..<whole.count {
        try FileSystem.writeAtomically(Array(whole[..<length]), to: file)
        let error = try #require(throws: CatalogError.self, "\(length)") { try EnvironmentLock.read(in: folder) }
        guard case .malformedLock = error else { return #expect(Bool(false), "\(error)") }
        #expect(error.exitCode == .verification)
      }
      let damages = [
        (#""size":9"#, #""size":"9""#), ("sha256:", "sha512:"), ("sha256:01", "sha256:0"), (#""layers":["#, #""layers":[{},"#),
        (#""resolved":"e""#, #""resolved":"a/UPPER:y""#),
      ]
      for (old, new) in damages {
        var text = String(decoding: whole, as: UTF8.self)
        let before = text
        text.replace(old, with: new)
        #expect(text != before, "\(old)")
        try FileSystem.writeAtomically(Array(text.utf8), to: file)
        let error = try #require(throws: CatalogError.self, "\(new)") { try EnvironmentLock.read(in: folder) }
        guard case .malformedLock = error else { return #expect(Bool(false), "\(error)") }
      }
    }
  }

  @Test func fitsItsRequest() throws {
    let lock = EnvironmentLock(
      environment: .source(.catalog("e")), resolved: .catalog("e"), images: [Platform.host.description: try image()])
    try lock.requireMatch(ProjectFile(environment: .source(.catalog("e")), folder: "/p"))
    let other = try #require(throws: CatalogError.self) {
      try lock.requireMatch(ProjectFile(environment: .source(.catalog("f")), folder: "/p"))
    }
    #expect(other.summary == "'/p/envctl.lock' does not belong to this environment: it locks 'e', envctl.yaml asks for 'f'")
    #expect(other.exitCode == .policy)
    let text = "schema: 1\nenvironment: e\nplatforms: [\(Platform.host), linux/riscv64]\n"
    let more = try withTemporaryFolder { try ProjectFile(Array(text.utf8), file: $0.appending("envctl.yaml")) }
    let lacking = try #require(throws: CatalogError.self) { try lock.requireMatch(more) }
    #expect(lacking.summary.hasSuffix("it has no image for linux/riscv64"))
  }

  @Test func alterationsAreTold() throws {
    let locked = try image(variables: ["CUDA_VERSION=11.7.1"])
    #expect(locked.differences(from: locked).isEmpty)
    let actual = try image(layer: 6, size: 10, variables: ["CUDA_VERSION=11.8.0"])
    #expect(
      locked.differences(from: actual) == [
        "diffID of layer 1 is \(digest(6)), locked as \(digest(2))", "size of layer 1 is 10, locked as 9",
        "CUDA is 11.8.0, locked as 11.7.1",
      ])
    var fewer = locked
    fewer.layers = []
    #expect(fewer.differences(from: locked) == ["number of layers is 1, locked as 0"])
    let lock = EnvironmentLock(environment: .source(.catalog("e")), resolved: .catalog("e"), images: [Platform.host.description: locked])
    let error = try #require(throws: CatalogError.self) { try lock.requireAgreement(with: actual, on: .host, in: "/p") }
    #expect(error.exitCode == .verification)
    #expect(error.summary.contains("size of layer 1 is 10, locked as 9"))
    // Facts that an older envctl did not read are no alteration.
    var silent = locked
    silent.facts = EnvironmentFacts()
    #expect(silent.differences(from: locked).isEmpty)
  }

  @Test func factsComeFromTheImage() {
    func facts(_ variables: [String], _ labels: [String: String] = [:]) -> EnvironmentFacts {
      EnvironmentFacts(
        ImageConfig(platform: .host, created: nil, config: .init(environment: variables, labels: labels), diffIDs: [], history: []))
    }
    let nvidia = facts([
      "CUDA_VERSION=11.7.1", "NV_CUDNN_VERSION=8.5.0.96", "CUDNN_VERSION=1", "NVIDIA_REQUIRE_CUDA=cuda>=11.7 brand=tesla,driver>=450",
      "PYTHON_VERSION=3.10.14",
    ])
    #expect(nvidia.summary == "CUDA 11.7.1, cuDNN 8.5.0.96, driver ≥ 450.80.02, 'cuda>=11.7 brand=tesla,driver>=450', Python 3.10.14")
    #expect(nvidia.driver?.shipped?.description == "515.43.04")
    #expect(facts(["CUDNN_VERSION=8.0.5.39-1+cuda11.1"]).cudnn?.description == "8.0.5.39")
    #expect(facts([], ["com.nvidia.cudnn.version": "8.9.0.131"]).cudnn?.description == "8.9.0.131")
    for nonsense in [["CUDA_VERSION="], ["CUDA_VERSION"], ["CUDA_VERSION=eleven"], ["CUDA_VERSION=\u{1F4A9}"], ["=11"], []] {
      #expect(facts(nonsense) == EnvironmentFacts(), "\(nonsense)")
    }
  }
}
