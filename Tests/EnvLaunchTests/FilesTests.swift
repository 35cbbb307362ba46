/// Files of a workspace: what was changed, and copies in and out that no link leads astray.
import EnvCore
import EnvLaunch
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct FilesTests {
  private func started() throws -> LaunchFixture {
    let fixture = try LaunchFixture()
    try #require(fixture.run(["start", fixture.project.string]).isSuccess)
    return fixture
  }

  private func script(_ text: String, in fixture: LaunchFixture) throws {
    let outcome = try fixture.run(["exec", fixture.project.string, "--", "sh", "-c", text])
    try #require(outcome.isSuccess, "\(outcome.errors)")
  }

  private func copy(_ from: String, _ to: String, in fixture: LaunchFixture) throws -> Outcome {
    try fixture.run(["copy", fixture.project.string, "--", from, to])
  }

  private func text(_ path: FilePath) throws -> String { String(decoding: try FileSystem.readFile(path), as: UTF8.self) }

  @Test func whatWasChanged() throws {
    let fixture = try started()
    #expect(try fixture.run(["diff", fixture.project.string]).output == "")
    try script(
      """
      echo more >> /tmp/changed; rm /tmp/gone; mkdir /tmp/new; echo x > /tmp/new/file; : >> /tmp/kept; echo y > /workspace/mine
      rm -r /opaque; mkdir /opaque; echo z > /opaque/fresh; rm /lower/kept; mkdir /lower/kept; echo w > /lower/kept/in; chmod 700 /etc
      """, in: fixture)
    let expected = [
      "changed /etc", "changed /lower/kept", "added /lower/kept/in", "removed /opaque/new", "added /opaque/fresh", "changed /tmp/changed",
      "removed /tmp/gone", "added /tmp/new", "added /tmp/new/file",
    ]
    #expect(try fixture.run(["diff", fixture.project.string]).lines.sorted() == expected.sorted())
    try #require(fixture.run(["stop", fixture.project.string]).isSuccess)
    #expect(try fixture.run(["diff", fixture.project.string]).lines.sorted() == expected.sorted())
  }

  @Test(arguments: [true, false]) func copiesGoBothWays(isRunning: Bool) throws {
    let fixture = try started()
    let host = fixture.folder.appending("host")
    try FileSystem.createDirectories(host.appending("tree/sub"))
    try FileSystem.writeAtomically(Array("one".utf8), to: host.appending("tree/sub/one"), mode: 0o755)
    try #require(
      Tool.run("sh", "-c", "cd '\(host)/tree' && ln -s sub/one link && ln -s /nowhere dangling && mkfifo pipe && chmod 4755 sub/one").status
        == 0)
    if !isRunning { try #require(fixture.run(["stop", fixture.project.string]).isSuccess) }
    #expect(try copy(host.appending("tree").string, ":/tmp", in: fixture).output == "1 pipe\n")
    #expect(try copy(host.appending("tree/.").string, ":/opt/made", in: fixture).code == 1)
    #expect(try copy(host.appending("tree/.").string, ":/made", in: fixture).isSuccess)
    #expect(try copy(host.appending("tree/link").string, ":/tmp/followed", in: fixture).isSuccess)
    #expect(try copy(":/etc/passwd", host.string, in: fixture).isSuccess)
    #expect(try text(host.appending("passwd")).hasPrefix("root:"))
    #expect(try copy(":/tmp/tree", host.appending("back").string, in: fixture).isSuccess)
    #expect(try FileSystem.linkTarget(host.appending("back/dangling")) == "/nowhere")
    #expect(try FileSystem.status(host.appending("back/sub/one"))?.permissions == 0o755)
    #expect(try copy(":/nothing", host.string, in: fixture).errors.contains("there is no '/nothing'"))
    #expect(try copy(":/etc/passwd", "\(host)/nofolder/", in: fixture).errors.contains("there is no"))
    if !isRunning {
      #expect(try copy(":/workspace/x", host.string, in: fixture).errors.contains("hint: it is '\(fixture.project)/x' on the host"))
      try #require(fixture.run(["start", fixture.project.string]).isSuccess)
    }
    let listed = try fixture.run([
      "exec", fixture.project.string, "--", "sh", "-c", "cat /tmp/tree/sub/one /made/sub/one /tmp/followed; ls /made",
    ])
    #expect(listed.output == "oneoneonedangling\nlink\nsub\n")
  }

  /// Whatever a container prepares, its files end where they belong.
  @Test(arguments: [true, false]) func linksInAWorkspaceNeverLeadToTheHost(isRunning: Bool) throws {
    let fixture = try started()
    let host = fixture.folder.appending("host")
    try FileSystem.createDirectories(host)
    try FileSystem.writeAtomically(Array("host".utf8), to: host.appending("secret"))
    try script(
      """
      ln -s '\(host)/secret' /tmp/file; ln -s '\(host)' /tmp/folder; ln -s /proc/1/root /tmp/magic; mkdir -p /tmp/tree
      ln -s '\(host)' /tmp/tree/out; ln -s ../../../../../../../.. /tmp/up
      """, in: fixture)
    if !isRunning { try #require(fixture.run(["stop", fixture.project.string]).isSuccess) }
    #expect(try copy(":/tmp/file", host.appending("stolen").string, in: fixture).errors.contains("there is no"))
    #expect(!FileSystem.exists(host.appending("stolen")))
    try FileSystem.writeAtomically(Array("new".utf8), to: fixture.folder.appending("new"))
    #expect(try !copy(fixture.folder.appending("new").string, ":/tmp/folder/new", in: fixture).isSuccess)
    #expect(try copy(fixture.folder.appending("new").string, ":/tmp/up/landed", in: fixture).isSuccess)
    try FileSystem.createDirectories(fixture.folder.appending("tree/out"))
    try FileSystem.writeAtomically(Array("new".utf8), to: fixture.folder.appending("tree/out/planted"))
    #expect(try !copy(fixture.folder.appending("tree").string, ":/tmp", in: fixture).isSuccess)
    #expect(try FileSystem.list(host) == ["secret"])
    #expect(!FileSystem.exists("/landed"))
    #expect(try copy(":/landed", host.appending("landed").string, in: fixture).isSuccess)
    #expect(try copy(":/tmp/magic/etc/passwd", host.string, in: fixture).isSuccess == false)
  }

  @Test func aFolderIsNotCopiedIntoItself() throws {
    let fixture = try started()
    let project = fixture.project
    try FileSystem.createDirectories(project.appending("sub"))
    try FileSystem.writeAtomically(Array("one".utf8), to: project.appending("file"))
    for (source, target) in [("", ":/workspace/copy"), ("", ":/workspace/sub"), ("", ":/workspace/"), ("/.", ":/workspace/copy")] {
      let outcome = try copy(project.string + source, target, in: fixture)
      #expect(outcome.code == 1 && outcome.errors.contains("a folder cannot be copied into itself"), "\(source) \(target)")
    }
    #expect(try text(project.appending("file")) == "one")
    // Beside itself it can.
    #expect(try copy(project.appending("sub").string, ":/workspace/beside", in: fixture).isSuccess)
  }

  @Test func aNameThatIsNoTextIsLeftOutAndTold() throws {
    let fixture = try started()
    let host = fixture.folder.appending("host")
    try FileSystem.createDirectories(host.appending("tree"))
    // bash's own echo writes the bytes; each folder and file of such a name is left out with what is in it.
    try #require(
      Tool.run("bash", "-c", #"cd '\#(host)/tree' && echo x > $'bad\xff' && mkdir $'dir\xfe' && echo y > $'dir\xfe/in' && echo z > good"#)
        .status == 0)
    #expect(try copy(host.appending("tree").string, ":/tmp", in: fixture).output.split(separator: "\n").first?.hasPrefix("1 ") == true)
    #expect(try fixture.run(["exec", fixture.project.string, "--", "ls", "/tmp/tree"]).output == "good\n")
  }
}
