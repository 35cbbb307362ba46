/// Debian packages: reading them, and the layer they become.
import Archive
import EnvCore
import SafeFS
import SystemPackage
import Testing

@testable import EnvImage

@Suite struct DebianPackageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func locate(_ builders: [DebBuilder]) throws -> [LocatedPackage] {
    try builders.map { builder in
      let bytes = try builder.build()
      return LocatedPackage(pin: builder.pin(bytes), path: try folder.write(builder.package + ".deb", bytes))
    }
  }

  private func layer(_ builders: [DebBuilder]) throws -> BuiltLayer {
    let packages = try locate(builders)
    let controls = try packages.map { try DebianPackage($0.path, pin: $0.pin).control }
    return try BuiltLayer(DebianLayer(packages: packages, installed: controls, isLowest: true).write)
  }

  @Test func filesGoWhereTheMergedUsrHasThem() throws {
    var deb = DebBuilder(package: "dash")
    deb.folder("")
    deb.folder("bin")
    deb.file("bin/dash", "#!", 0o755)
    deb.file("lib64/ld.so", "x")
    deb.files.append((ArchiveEntry(path: "./usr/bin/again", kind: .hardlink(target: "./bin/dash"), permissions: 0o755), []))
    deb.file("usr/bin/setuid", "s", 0o4755)
    let layer = try layer([deb])
    #expect(layer.entry("bin")?.kind == .symlink(target: "usr/bin"))
    #expect(layer.entry("lib64")?.kind == .symlink(target: "usr/lib64"))
    #expect(layer.text("usr/bin/dash") == "#!")
    #expect(layer.text("usr/lib64/ld.so") == "x")
    #expect(layer.entry("usr/bin/again")?.kind == .hardlink(target: "usr/bin/dash"))
    #expect(layer.entry("usr/bin/setuid")?.permissions == 0o4755)
    #expect(layer.text("etc/resolv.conf") == "")
    #expect(layer.text("var/lib/dpkg/info/dash.list") == "/.\n/bin\n/bin/dash\n/lib64/ld.so\n/usr/bin/again\n/usr/bin/setuid\n")
  }

  @Test func theDatabaseListsWhatIsInstalled() throws {
    let layer = try layer([
      DebBuilder(package: "zlib1g", version: "1:1.2", architecture: "amd64", extraFields: "Multi-Arch: same\n"), DebBuilder(package: "abc"),
    ])
    let status = try #require(layer.text("var/lib/dpkg/status"))
    let paragraphs = ControlParagraph.parse(status)
    #expect(paragraphs.map { $0["Package"] } == ["abc", "zlib1g"])
    #expect(paragraphs.allSatisfy { $0["Status"] == "install ok installed" })
    #expect(layer.contents["var/lib/dpkg/info/zlib1g:amd64.list"] != nil)
  }

  @Test func whatMaintainerScriptsMakeIsThere() throws {
    var passwd = DebBuilder(package: "base-passwd")
    passwd.file("usr/share/base-passwd/passwd.master", "root:*:0:0\n")
    passwd.file("usr/share/base-passwd/group.master", "root:*:0:\n")
    var certificates = DebBuilder(package: "ca-certificates")
    certificates.file("usr/share/ca-certificates/mozilla/B.crt", "BBB")
    certificates.file("usr/share/ca-certificates/mozilla/A.crt", "AAA\n")
    var mawk = DebBuilder(package: "mawk")
    mawk.file("usr/bin/mawk", "m", 0o755)
    let layer = try layer([passwd, certificates, mawk])
    #expect(layer.text("etc/passwd") == "root:*:0:0\n")
    #expect(layer.text("etc/group") == "root:*:0:\n")
    #expect(layer.text("etc/ssl/certs/ca-certificates.crt") == "AAA\nBBB\n")
    #expect(layer.text("etc/ca-certificates.conf") == "mozilla/A.crt\nmozilla/B.crt\n")
    #expect(layer.entry("usr/bin/awk")?.kind == .symlink(target: "/usr/bin/mawk"))
  }

  @Test func aTemplateThatIsMissingIsAnError() throws {
    let error = #expect(throws: ImageError.self) { try layer([DebBuilder(package: "base-passwd")]) }
    guard case .malformedPackage("base-passwd 1.0-1", _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func packagesThatDisagreeAreNamed() throws {
    var first = DebBuilder(package: "first")
    first.file("usr/x", "1")
    var second = DebBuilder(package: "second")
    second.file("usr/x", "2")
    let error = #expect(throws: ImageError.self) { try layer([first, second]) }
    guard case .conflict("usr/x", "first 1.0-1", "second 1.0-1") = error else {
      Issue.record("unexpected \(String(describing: error))"); return
    }
  }

  @Test func theWayOutOfTheRootIsClosed() throws {
    var deb = DebBuilder(package: "evil")
    deb.file("../etc/passwd", "x")
    let error = #expect(throws: ImageError.self) { try layer([deb]) }
    guard case .pathEscape("evil 1.0-1", _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
    #expect(error?.exitCode == .verification)
  }

  @Test func anotherPackageThanThePinnedOneIsRefused() throws {
    let bytes = try DebBuilder(package: "right").build()
    let path = try folder.write("x.deb", bytes)
    var pin = DebBuilder(package: "right").pin(bytes)
    pin.version = "2.0"
    let error = #expect(throws: ImageError.self) { try DebianPackage(path, pin: pin).control }
    guard case .wrongPackage(_, "right 2.0 all", "right 1.0-1 all") = error else {
      Issue.record("unexpected \(String(describing: error))"); return
    }
  }

  /// Cut anywhere, a package is an error and never a shorter package.
  @Test func aTruncatedPackageIsNeverTakenForAWholeOne() throws {
    var deb = DebBuilder(package: "cut")
    deb.file("usr/file", String(repeating: "content ", count: 400))
    let bytes = try deb.build()
    // The two zero blocks at the end of data.tar hold nothing; what is before them does.
    for count in stride(from: 0, to: bytes.count - 1024, by: 331) {
      let path = try folder.write("cut.deb", Array(bytes[..<count]))
      #expect(throws: (any Error).self, "cut after \(count) bytes") {
        _ = try BuiltLayer { layer in
          let package = LocatedPackage(pin: deb.pin(bytes), path: path)
          try DebianLayer(packages: [package], installed: [], isLowest: true).write(to: &layer)
        }
      }
    }
  }
}
