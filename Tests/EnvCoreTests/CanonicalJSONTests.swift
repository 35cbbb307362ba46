/// One value, one sequence of bytes.
import Testing

@testable import EnvCore

@Suite struct CanonicalJSONTests {
  private func text(_ value: some Encodable) throws -> String { String(decoding: try CanonicalJSON.encode(value), as: UTF8.self) }

  @Test("keys stand in the order of their bytes") func keys() throws {
    let keys = ["a10", "a2", "B", "a", "_", "A", "\u{e9}", "z", "a/b", "\u{1F600}", "\u{ffff}"]
    let value = Dictionary(uniqueKeysWithValues: keys.map { ($0, 1) })
    let sorted = keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    #expect(try text(value) == "{" + sorted.map { "\"\($0)\":1" }.joined(separator: ",") + "}")
  }

  @Test func strings() throws {
    #expect(try text(["a/b", "\u{e9}", "\u{1F600}"]) == "[\"a/b\",\"\u{e9}\",\"\u{1F600}\"]")
    #expect(try text(["\"\\\n\t\u{1}"]) == #"["\"\\\n\t\u0001"]"#)
  }

  @Test(arguments: [
    0.1, 1e-12, Double.leastNonzeroMagnitude, 1.7976931348623157e308, 0.30000000000000004, 1.0 / 3.0, -0.0, 123_456_789.125, 1e21,
    2.2250738585072014e-308,
  ]) func floats(_ value: Double) throws {
    let bytes = try CanonicalJSON.encode([value])
    #expect(try CanonicalJSON.decode([Double].self, from: bytes, object: "x") == [value])
    #expect(bytes.count <= value.description.utf8.count + 2, "no shorter text gives this number")
  }

  @Test func integers() throws {
    #expect(try text([Int64.max, .min, 0]) == "[9223372036854775807,-9223372036854775808,0]")
    #expect(try CanonicalJSON.decode([Int64].self, from: Array("[9223372036854775807]".utf8), object: "x") == [.max])
  }

  struct Sample: Codable, Equatable {
    var b: [Int]
    var a: String?
    var digest: Digest?
  }

  @Test func pretty() throws {
    let bytes = try CanonicalJSON.encodePretty(Sample(b: [1, 2], a: "x"))
    #expect(bytes.last == UInt8(ascii: "\n"))
    #expect(try CanonicalJSON.decode(Sample.self, from: bytes, object: "x") == Sample(b: [1, 2], a: "x"))
    #expect(try text(Sample(b: [])) == #"{"b":[]}"#, "what is nil is left out")
  }

  @Test(arguments: [
    ("", "not the JSON expected"), ("{", "not the JSON expected"), (#"{"a":"x"}"#, "missing key 'b'"),
    (#"{"b":[1,"x"]}"#, "at b.[1]"), (#"{"b":[],"a":1}"#, "at a"), (#"{"b":[],"digest":"md5:1"}"#, "'md5' is not supported"),
    ("{\"b\":[]} x", "not the JSON expected"),
  ]) func unreadable(_ json: String, _ reason: String) {
    do {
      _ = try CanonicalJSON.decode(Sample.self, from: Array(json.utf8), object: "the file")
      Issue.record("\(json) was read")
    } catch {
      #expect(error.summary.hasPrefix("the file is not the JSON expected"))
      #expect(error.summary.contains(reason), "\(error.summary)")
    }
  }

  @Test func notFinite() { #expect(throws: JSONError.self) { try CanonicalJSON.encode([Double.nan]) } }

  @Test("deep nesting is refused, not a crash") func deep() {
    let bytes = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    #expect(throws: JSONError.self) { try CanonicalJSON.decode([Int].self, from: bytes, object: "x") }
  }
}
