/// What apt, pip and package indexes say about where packages are.
import EnvCore
import Hashing
import Testing

@testable import EnvImage

@Suite struct OriginsTests {
  @Test func oneLineSources() {
    let text = """
      # a comment
      deb http://mirror.test/debian bookworm main contrib # tail
      deb-src http://mirror.test/debian bookworm main
      deb [ arch=amd64 signed-by=/k.gpg ] http://two.test/debian/ bookworm-updates main
      deb [trusted=yes] file:/srv/repo bookworm main

      """
    #expect(
      AptSource.parse(list: text) == [
        AptSource(uri: "http://mirror.test/debian", suite: "bookworm", components: ["main", "contrib"]),
        AptSource(uri: "http://two.test/debian/", suite: "bookworm-updates", components: ["main"], signedBy: "/k.gpg"),
        AptSource(uri: "file:/srv/repo", suite: "bookworm", components: ["main"], isTrusted: true),
      ])
  }

  @Test func deb822Sources() {
    let text = """
      Types: deb
      # a comment between fields
      URIs: http://a.test/debian http://b.test/debian
      Suites: bookworm bookworm-updates
      Components: main
      Signed-By: /k.gpg

      Types: deb
      Enabled: no
      URIs: http://off.test/debian
      Suites: bookworm
      Components: main

      Types: deb-src
      URIs: http://src.test/debian
      Suites: bookworm
      Components: main
      """
    let sources = AptSource.parse(deb822: text)
    #expect(sources.map(\.uri) == ["http://a.test/debian", "http://a.test/debian", "http://b.test/debian", "http://b.test/debian"])
    #expect(sources.map(\.suite) == ["bookworm", "bookworm-updates", "bookworm", "bookworm-updates"])
    #expect(sources.allSatisfy { $0.signedBy == "/k.gpg" })
  }

  /// apt takes the first order and refuses the second; both say the same.
  @Test(arguments: [false, true]) func aRepositoryListedTwiceCountsOnceWithItsKeys(isReversed: Bool) {
    let plain = AptSource.parse(list: "deb http://m.test/debian bookworm main\ndeb http://other.test/debian bookworm main")
    let signed = AptSource.parse(
      deb822: "Types: deb\nURIs: http://m.test/debian/\nSuites: bookworm\nComponents: main\nSigned-By: /keys.gpg\n")
    let found = AptSource.forMain(of: "bookworm", among: isReversed ? signed + plain : plain + signed)
    #expect(found.count == 2 && found.first?.signedBy == "/keys.gpg" && found.last?.uri == "http://other.test/debian")
  }

  @Test func onlyTheMainSuiteCounts() {
    let sources = AptSource.parse(
      list: """
        deb http://u.test bookworm-updates main
        deb http://s.test bookworm-security main
        deb http://n.test bookworm non-free
        deb http://m.test bookworm main
        deb http://t.test trixie main
        """)
    #expect(AptSource.forMain(of: "bookworm", among: sources).map(\.uri) == ["http://m.test"])
    #expect(AptSource.forMain(of: "trixie", among: sources).map(\.uri) == ["http://t.test"])
    #expect(AptSource.forMain(of: "sid", among: sources).map(\.uri) == ["http://m.test", "http://t.test"])
    #expect(
      AptSource(uri: "http://m.test", suite: "x", components: ["main"], signedBy: "/k").line(suite: "bookworm", architecture: "amd64")
        == "deb [arch=amd64 signed-by=/k] http://m.test bookworm main\n")
  }

  @Test func mirrorListsOnDiskAreRead() throws {
    let folder = try TemporaryFolder()
    let list = try folder.write("mirrors", Array("# list\nhttp://one.test/debian/\tpriority:1\n\nhttp://two.test/debian\n".utf8))
    let origins = DebianOrigins(sources: [
      AptSource(uri: "mirror+file:\(list)", suite: "s", components: ["main"]),
      AptSource(uri: "copy:/srv/d", suite: "s", components: ["main"]),
    ])
    #expect(try origins.baseURLs() == ["http://one.test/debian", "http://two.test/debian", "file:/srv/d"])
  }

  @Test func pipSettingsFollowItsPrecedence() {
    let settings = PipSettings.parse(
      """
      :env:.index-url='http://env.test/simple'
      global.extra-index-url='\\nhttp://a.test/simple\\nhttp://b.test/simple'
      global.index-url='http://global.test/simple'
      install.timeout='3'
      """)
    #expect(settings["index-url"] == "http://env.test/simple")
    #expect(settings["extra-index-url"]?.split(separator: "\n") == ["http://a.test/simple", "http://b.test/simple"])
    #expect(settings["timeout"] == "3")
    #expect(settings["proxy"] == nil)
  }

  private static let digest = Digest.sha256(of: [1])

  @Test func htmlPages() throws {
    let page = """
      <!DOCTYPE html><html><body>
      <a href="../../packages/thing-1.0%2Bcpu-py3-none-any.whl#sha256=\(Self.digest.hex)" data-requires-python="&gt;=3.8">x</a>
      <A class='c' HREF='https://files.test/thing-2.0.tar.gz#md5=abc'>y</A> <a name="nothing">z</a>
      </body></html>
      """
    let files = try IndexPage.files(Array(page.utf8), contentType: "text/html", url: "https://index.test/simple/thing/")
    #expect(
      files == [
        IndexFile(
          filename: "thing-1.0+cpu-py3-none-any.whl", url: "https://index.test/packages/thing-1.0%2Bcpu-py3-none-any.whl",
          sha256: Self.digest),
        IndexFile(filename: "thing-2.0.tar.gz", url: "https://files.test/thing-2.0.tar.gz"),
      ])
  }

  @Test func jsonPages() throws {
    let page = """
      {"meta": {"api-version": "1.1"}, "name": "thing", "files": [{"filename": "thing-1.0-py3-none-any.whl", "url": "thing-1.0-py3-none-any.whl",
      "hashes": {"sha256": "\(Self.digest.hex)"}, "size": 7, "upload-time": "2024-10-14T23:59:59.999999Z", "yanked": false}]}
      """
    let files = try IndexPage.files(
      Array(page.utf8), contentType: "application/vnd.pypi.simple.v1+json", url: "https://i.test/simple/thing/")
    #expect(
      files == [
        IndexFile(
          filename: "thing-1.0-py3-none-any.whl", url: "https://i.test/simple/thing/thing-1.0-py3-none-any.whl", sha256: Self.digest,
          size: 7,
          published: Timestamp(parsing: "2024-10-14T23:59:59Z"))
      ])
    #expect(throws: JSONError.self) { try IndexPage.files(Array("{".utf8), contentType: nil, url: "https://i.test/") }
  }

  @Test(arguments: [
    ("x.whl", "https://h/s/p/x.whl"), ("../../f/x.whl", "https://h/f/x.whl"), ("/f/x.whl", "https://h/f/x.whl"),
    ("//other/x.whl", "https://other/x.whl"), ("http://else/x", "http://else/x"), ("../../../../x#a/b", "https://h/x#a/b"),
  ])
  func referencesAreResolved(reference: String, url: String) { #expect(absoluteURL(reference, from: "https://h/s/p/") == url) }

  @Test(arguments: [
    ("numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "numpy", "1.26.4"),
    ("Opt_Einsum-3.3.0-1-py3-none-any.whl", "opt-einsum", "3.3.0"),
  ])
  func wheelNames(filename: String, project: String, version: String) {
    #expect(WheelName(filename)?.project == project)
    #expect(WheelName(filename)?.version == version)
  }

  @Test(arguments: ["numpy-1.26.4.tar.gz", "numpy-1.26.4.whl", "a-b-c-d-e-f-g.whl", "-1-py3-none-any.whl"])
  func textsThatAreNoWheelName(filename: String) { #expect(WheelName(filename) == nil) }
}
