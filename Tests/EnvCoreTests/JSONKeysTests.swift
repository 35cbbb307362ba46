/// Bytes that programs read differently are refused, and nothing else is.
import Testing

@testable import EnvCore

@Suite struct JSONKeysTests {
  private func ambiguity(_ text: String, ignoringCase: Bool = false) -> String? {
    JSONKeys(Array(text.utf8), ignoringCase: ignoringCase).ambiguity
  }

  @Test(arguments: [
    #"{"a":1,"a":2}"#, #"{"a":{"x":[{"b":1,"c":"}","b":2}]}}"#, #"{"config":1,"\u0063onfig":2}"#, #"{"a\\":1,"b":"\"","a\\":2}"#,
    #"{"😀":1,"\ud83d\ude00":2}"#, #"{"a":"b","c":["a","a"],"a":1}"#, "\u{FEFF}{}", "\0{\0}",
  ]) func ambiguous(_ text: String) { #expect(ambiguity(text) != nil) }

  @Test(arguments: [
    #"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}],"A":1}"#, #"["a","a"]"#, #"{"a":"\"a\":","b":"a"}"#, "{}", "", "[", #"{"a"#, #"{"a\"#, "]}",
    #"{"\\u0061":1,"a":2}"#, #"{"annotations":{"Team":"1","team":"2"}}"#,
  ]) func clear(_ text: String) { #expect(ambiguity(text) == nil) }

  @Test("Go's programs take keys that differ in case for the same, but not those of maps") func letterCase() {
    #expect(ambiguity(#"{"layers":[],"Layers":[]}"#, ignoringCase: true) != nil)
    #expect(ambiguity(#"{"config":{"Labels":{"Team":"1","team":"2"},"Env":[]},"rootfs":{}}"#, ignoringCase: true) == nil)
    #expect(ambiguity(#"{"Labels":{"team":"1","team":"2"}}"#, ignoringCase: true) != nil)
  }

  @Test("a document of brackets alone is refused by the decoder, and takes no memory before") func deep() {
    let brackets = [UInt8](repeating: UInt8(ascii: "["), count: 4 << 20)
    #expect(JSONKeys(brackets, ignoringCase: true).ambiguity == nil)
    #expect(throws: JSONError.self) { try CanonicalJSON.decode([Int].self, from: brackets, object: "x") }
  }

  @Test func refusedWhereItIsRead() {
    #expect(throws: JSONError.self) { try CanonicalJSON.decode([String: Int].self, from: Array(#"{"a":1,"a":2}"#.utf8), object: "x") }
    let wide: [UInt8] = [0x5B, 0, 0x31, 0, 0x5D, 0]
    #expect(throws: JSONError.self) { try CanonicalJSON.decode([Int].self, from: wide, object: "x") }
  }
}
