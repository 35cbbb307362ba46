/// Wheels: reading them, and what their installation leaves behind.
import Archive
import EnvCore
import Hashing
import SafeFS
import SystemPackage
import Testing

@testable import EnvImage

@Suite struct WheelTests {
  private let folder: TemporaryFolder
  private static let site = "usr/local/lib/python3.11/dist-packages/"

  init() throws { folder = try TemporaryFolder() }

  private func layer(_ wheels: WheelBuilder...) throws -> BuiltLayer {
    try BuiltLayer { layer in
      for wheel in wheels {
        let bytes = wheel.build()
        let located = LocatedWheel(pin: wheel.pin(bytes), path: try folder.write(wheel.filename, bytes))
        var installation = try WheelInstallation(located, layout: PythonLayout(version: "3.11"))
        try installation.write(to: &layer)
      }
    }
  }

  @Test func filesGoToDistPackagesWithPlainModes() throws {
    var wheel = WheelBuilder(name: "Some_Thing")
    wheel.file("thing/__init__.py", "x = 1\n", 0o600)
    wheel.file("thing/tool", "binary", 0o775)
    let layer = try layer(wheel)
    #expect(layer.text(Self.site + "thing/__init__.py") == "x = 1\n")
    #expect(layer.entry(Self.site + "thing/__init__.py")?.permissions == 0o644)
    #expect(layer.entry(Self.site + "thing/tool")?.permissions == 0o755)
    #expect(layer.text(Self.site + "Some_Thing-1.0.dist-info/INSTALLER") == "envctl\n")
    #expect(layer.entries.allSatisfy { $0.uid == 0 && $0.gid == 0 && $0.modified == 1_000_000_000_000 })
  }

  @Test func dataSchemesAndCommandsGoWherePipPutsThem() throws {
    var wheel = WheelBuilder(name: "thing")
    wheel.file("thing-1.0.data/scripts/run", "#!python -s\nprint(1)\n")
    wheel.file("thing-1.0.data/data/share/x", "data")
    wheel.file("thing-1.0.data/purelib/pure.py", "")
    wheel.file("thing-1.0.data/headers/h.h", "h")
    wheel.entryPoints = "[other]\na = b:c\n[console_scripts]\nthing = thing.cli:App.main [extra]\n"
    let layer = try layer(wheel)
    #expect(layer.text("usr/local/bin/run") == "#!/usr/bin/python3.11\nprint(1)\n")
    #expect(layer.entry("usr/local/bin/run")?.permissions == 0o755)
    #expect(layer.text("usr/local/share/x") == "data")
    #expect(layer.text(Self.site + "pure.py") == "")
    #expect(layer.text("usr/local/include/python3.11/thing/h.h") == "h")
    let command = try #require(layer.text("usr/local/bin/thing"))
    #expect(command.hasPrefix("#!/usr/bin/python3.11\n"))
    #expect(command.contains("from thing.cli import App\n") && command.contains("sys.exit(App.main())"))
    #expect(layer.entry("usr/local/bin/a") == nil)
  }

  /// The installed RECORD lists every file of the layer, with the digest of what was written.
  @Test func theInstalledRecordIsRight() throws {
    var wheel = WheelBuilder(name: "thing")
    wheel.file("thing/a,b.py", "comma")
    wheel.file("thing-1.0.data/scripts/run", "#!python\n")
    wheel.entryPoints = "[console_scripts]\nthing=thing:main"
    let layer = try layer(wheel)
    let rows = CommaSeparated.parse(try #require(layer.text(Self.site + "thing-1.0.dist-info/RECORD")))
    var listed: [String] = []
    for row in rows {
      let path = row[0].hasPrefix("../../../") ? "usr/local/" + row[0].dropFirst(9) : Self.site + row[0]
      listed.append(path)
      let content = try #require(layer.contents[path])
      #expect(row[1] == (path.hasSuffix("/RECORD") ? "" : Digest.sha256(of: content).recordText))
    }
    #expect(Set(listed) == Set(layer.contents.keys))
    #expect(rows.map { $0[0] } == rows.map { $0[0] }.sorted())
  }

  @Test func aFileThatIsNotWhatRecordSaysIsRefused() throws {
    var wheel = WheelBuilder(name: "thing")
    wheel.file("thing.py", "evil")
    let expected = Digest.sha256(of: Array("good".utf8))
    wheel.recordOverride["thing.py"] = "thing.py,\(expected.recordText),4"
    let error = #expect(throws: ImageError.self) { try layer(wheel) }
    guard case .fileDigestMismatch("thing-1.0-py3-none-any.whl", "thing.py", expected, Digest.sha256(of: Array("evil".utf8))) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    #expect(error?.exitCode == .verification)
  }

  @Test func scriptsAreHeldToRecordAsTheyWereShipped() throws {
    var wheel = WheelBuilder(name: "thing")
    wheel.file("thing-1.0.data/scripts/run", "#!python\nevil")
    wheel.recordOverride["thing-1.0.data/scripts/run"] = "thing-1.0.data/scripts/run,\(Digest.sha256(of: []).recordText),0"
    #expect(throws: ImageError.self) { try layer(wheel) }
  }

  @Test(arguments: ["../evil.py", "/etc/evil", "a/../../evil", "a\\..\\evil"])
  func theWayOutOfTheRootIsClosed(path: String) throws {
    var wheel = WheelBuilder(name: "thing")
    wheel.file(path, "evil")
    let error = #expect(throws: ImageError.self) { try layer(wheel) }
    guard case .pathEscape("thing-1.0-py3-none-any.whl", _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func whatRecordDoesNotListOrTheWheelDoesNotHoldIsRefused() throws {
    var unlisted = WheelBuilder(name: "thing")
    unlisted.file("extra.py", "x")
    unlisted.recordOmits = ["extra.py"]
    #expect(throws: ImageError.self) { try layer(unlisted) }
    var lacking = WheelBuilder(name: "thing")
    lacking.file("there.py", "x")
    lacking.recordOverride["there.py"] =
      "there.py,\(Digest.sha256(of: Array("x".utf8)).recordText),1\nmissing.py,\(Digest.sha256(of: []).recordText),0"
    #expect(throws: ImageError.self) { try layer(lacking) }
  }

  @Test(arguments: ["[console_scripts]\n../up = a:b", "[console_scripts]\nx = a:b; import os", "[gui_scripts]\nx = nothing"])
  func commandsThatAreNoNamesAreRefused(entryPoints: String) throws {
    var wheel = WheelBuilder(name: "thing")
    wheel.entryPoints = entryPoints
    #expect(throws: ImageError.self) { try layer(wheel) }
  }

  @Test func anotherProjectThanTheNamedOneIsRefused() throws {
    let bytes = WheelBuilder(name: "other").build()
    let path = try folder.write("x.whl", bytes)
    #expect(throws: ImageError.self) { try WheelMetadata.read(path, filename: "thing-1.0-py3-none-any.whl") }
  }

  @Test func wheelsThatShareAPathMustAgree() throws {
    var first = WheelBuilder(name: "first")
    first.file("shared/__init__.py", "")
    var second = WheelBuilder(name: "second")
    second.file("shared/__init__.py", "")
    _ = try layer(first, second)
    second.files[0].content = [10]
    let error = #expect(throws: ImageError.self) { try layer(first, second) }
    guard case .conflict(Self.site + "shared/__init__.py", first.filename, second.filename) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
  }

  @Test(arguments: 0..<40)
  func base64RoundTrips(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ 200) }
    #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
  }

  @Test func commaSeparatedValuesKeepQuotes() {
    #expect(CommaSeparated.parse("a,\"b,\"\"c\"\r\nd,,\n") == [["a", "b,\"c"], ["d", "", ""]])
    #expect(CommaSeparated.line(["a", "b,\"c", ""]) == "a,\"b,\"\"c\",")
  }
}
