/// Models on their way into the store: from servers that break off, change their mind or lie, and from files.
import EnvCatalog
import EnvCore
import EnvStore
import HTTP
import Hashing
import LoopbackHTTP
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvModels

@Suite struct ProviderTests {
  private static let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

  private func pin(_ source: ModelPin.Source, _ bytes: [UInt8] = body, size: Int? = nil, name: String = "w.raw", allow: [String] = [])
    -> ModelPin
  {
    ModelPin(
      name: name, source: source, sha256: .sha256(of: bytes), size: Int64(size ?? bytes.count), mount: "/models/w.raw", allow: allow)
  }

  private func withProvider(_ body: (ModelProvider, Store, FilePath) throws -> Void) throws {
    try withTemporaryFolder { folder in
      var policy = HTTPPolicy()
      policy.firstDelay = .milliseconds(1)
      policy.attempts = 3
      let store = try Store(home: folder.appending("home"))
      try body(ModelProvider(store: store, client: HTTPClient(policy: policy)), store, folder)
    }
  }

  private func serving(_ answers: [Answer], _ body: (LoopbackServer) throws -> Void) throws {
    let server = try LoopbackServer(answers)
    defer { server.stop() }
    try body(server)
  }

  /// Nothing but the folder of blobs, empty.
  private func expectEmpty(_ store: Store) throws {
    #expect(try FileSystem.list(store.home.appending("blobs/sha256")) == [])
  }

  @Test("a transfer that breaks off goes on, and what is there is not fetched again") func fetch() throws {
    let rest = Answer.ok(
      Array(Self.body[100_000...]), headers: ["Content-Range: bytes 100000-299999/300000", "ETag: \"a\""], status: "206 Partial Content")
    try serving([.cut(Array(Self.body[..<100_000]), promised: 300_000, headers: ["ETag: \"a\"", "Accept-Ranges: bytes"]), rest]) { server in
      try withProvider { provider, store, folder in
        let pin = pin(.url(server.url()))
        #expect(try !provider.isPresent(pin))
        var seen: Int64 = 0
        let ready = try provider.prepare(pin, in: folder) { seen += $0 }
        #expect(seen == 300_000 && ready.scan.format == .unrecognised)
        #expect(try FileSystem.readFile(ready.blob.path) == Self.body)
        #expect(server.requests.count == 2 && server.requests[1].contains("100000-"))
        _ = try provider.prepare(pin, in: folder) { _ in Issue.record("fetched again") }
        #expect(try provider.isPresent(pin))
        #expect(server.requests.count == 2)
      }
    }
  }

  @Test(
    "other bytes, more or fewer never enter the store",
    arguments: [
      Answer.ok([1] + body.dropFirst()), .ok(body + [0]), .ok(Array(body.dropLast())), .ok([]),
      .endless(head: Answer.head("200 OK", []), chunk: body),
    ]) func mismatch(_ answer: Answer) throws
  {
    try serving([answer]) { server in
      try withProvider { provider, store, folder in
        let error = #expect(throws: ModelError.self) {
          try provider.prepare(pin(.url(server.url() + "?token=secret")), in: folder) { _ in }
        }
        guard case .notAsPinned = error else { Issue.record("\(String(describing: error))"); return }
        #expect(error?.exitCode == .verification)
        #expect(error.map { DiagnosticChain($0) }?.summaries.contains { $0.contains("secret") } == false)
        try expectEmpty(store)
      }
    }
  }

  @Test func unobtainable() throws {
    try serving([.ok(.text("gone"), status: "404 Not Found")]) { server in
      try withProvider { provider, store, folder in
        let error = #expect(throws: ModelError.self) { try provider.prepare(pin(.url(server.url())), in: folder) { _ in } }
        guard case .unobtainable = error else { Issue.record("\(String(describing: error))"); return }
        #expect(error?.exitCode == .failed)
        #expect(throws: ModelError.self) { try provider.prepare(pin(.path("none")), in: folder) { _ in } }
        let isFolder = #expect(throws: ModelError.self) { try provider.prepare(pin(.path(".")), in: folder) { _ in } }
        #expect(isFolder.map { DiagnosticChain($0) }?.summaries.last?.contains("is a folder") == true)
        try expectEmpty(store)
      }
    }
  }

  @Test("a file is copied, so that changing it changes nothing that was proven") func path() throws {
    try withProvider { provider, store, folder in
      let file = folder.appending("w.raw")
      try FileSystem.writeAtomically(Self.body, to: file)
      let ready = try provider.prepare(pin(.path("w.raw")), in: folder) { _ in }
      try FileSystem.writeAtomically([1, 2, 3], to: file)
      #expect(try provider.prepare(pin(.path("w.raw")), in: folder) { _ in }.blob == ready.blob)
      let shorter = #expect(throws: ModelError.self) { try provider.prepare(pin(.path("w.raw"), [1, 2, 4]), in: folder) { _ in } }
      #expect(shorter?.exitCode == .verification)
      let size = #expect(throws: ModelError.self) { try provider.prepare(pin(.path("w.raw"), size: 5), in: folder) { _ in } }
      #expect(size?.exitCode == .verification)
    }
  }

  @Test("a blob that was changed since is noticed at the next use", .needs(.root)) func damage() throws {
    try withProvider { provider, store, folder in
      try FileSystem.writeAtomically(Self.body, to: folder.appending("w.raw"))
      let blob = try provider.prepare(pin(.path("w.raw")), in: folder) { _ in }.blob
      let done = try Tool.run(
        "sh", "-c", "cp -a $1 $1.keep && printf X | dd of=$1 conv=notrunc status=none && touch -r $1.keep $1; rm $1.keep", "sh",
        blob.path.string)
      try #require(done.status == 0)
      let error = #expect(throws: ModelError.self) { try provider.prepare(pin(.path("w.raw")), in: folder) { _ in } }
      guard case .damaged = error else { Issue.record("\(String(describing: error))"); return }
      #expect(error?.exitCode == .verification)
      #expect(error.map { DiagnosticChain($0) }?.hint?.contains("verify --repair") == true)
    }
  }

  @Test("what a pickle holds is refused unless its pin names it") func refusal() throws {
    try withProvider { provider, store, folder in
      let bytes = [UInt8].text("cmine.layers\nDense\n)R.")
      try FileSystem.writeAtomically(bytes, to: folder.appending("m.pkl"))
      let refused = #expect(throws: ModelError.self) {
        try provider.prepare(pin(.path("m.pkl"), bytes, name: "m.pkl"), in: folder) { _ in }
      }
      #expect(refused?.summary == "the model 'm.pkl' is refused: GLOBAL, byte 0: it imports mine.layers.Dense")
      #expect(refused?.hint?.contains("allow: [mine.layers.Dense]") == true)
      #expect(refused?.exitCode == .policy)
      let allowed = try provider.prepare(pin(.path("m.pkl"), bytes, name: "m.pkl", allow: ["mine.layers.Dense"]), in: folder) { _ in }
      #expect(allowed.allowed.map(\.global) == ["mine.layers.Dense"])
    }
  }
}
