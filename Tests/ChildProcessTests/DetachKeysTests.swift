/// The keys that leave a terminal: their notation, and finding them in what is typed.
import Testing

@testable import ChildProcess

@Suite struct DetachKeysTests {
  @Test(
    arguments: [
      ("ctrl-p,ctrl-q", [16, 17]), ("ctrl-@,ctrl-[,ctrl-],ctrl-_", [0, 27, 29, 31]), ("a,~,ctrl-A", [97, 126, 1]), ("", []),
    ] as [(String, [UInt8])])
  func notation(text: String, bytes: [UInt8]) { #expect(DetachKeys(parsing: text)?.bytes == bytes) }

  @Test(arguments: ["ctrl", "ctrl-", "ctrl-1", "ctrl-pp", "a,", ",", "ab", "ö", "alt-x"])
  func nonsense(text: String) { #expect(DetachKeys(parsing: text) == nil) }

  @Test(
    arguments: [
      ("aab", "xaaby", "x", true), ("aab", "aaab", "a", true), ("aab", "aaaaab", "aaa", true), ("aab", "aaxaab", "aax", true),
      ("aab", "abab", "abab", false), ("aab", "aa", "", false), ("", "aab", "aab", false), ("ab", "aXb", "aXb", false),
    ])
  func sequences(keys: String, typed: String, forwarded: String, isDetached: Bool) throws {
    let keys = try #require(DetachKeys(parsing: keys.map(String.init).joined(separator: ",")))
    // In one piece and key by key.
    for pieces in [[Array(typed.utf8)], typed.utf8.map { [$0] }] {
      var filter = DetachFilter(keys)
      var (out, ended): ([UInt8], Bool) = ([], false)
      for piece in pieces where !ended {
        let taken = filter.take(piece)
        out += taken.forwarded
        ended = taken.isDetached
      }
      #expect(String(decoding: out, as: UTF8.self) == forwarded)
      #expect(ended == isDetached)
    }
  }

  @Test func heldKeysComeOutWithTheNext() throws {
    var filter = DetachFilter(.standard)
    #expect(filter.take([16]).forwarded == [])
    #expect(filter.take([16]).forwarded == [16])
    #expect(filter.take([97]).forwarded == [16, 97])
    #expect(filter.take([16, 17]).isDetached)
  }
}
