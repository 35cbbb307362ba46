/// Recipes, locks and times: what is read, and what each mistake is answered with.
import EnvCore
import SafeFS
import StrictYAML
import SystemPackage
import Testing

@testable import EnvImage

@Suite struct RecipeTests {
  static let minimal = """
    name: tiny
    platform: linux/amd64
    created: 2024-10-15
    debian:
      suite: bookworm
      layers:
        base: [dash]
    workdir: /workspace

    """

  static func parse(_ text: String) throws(YAMLError) -> Recipe {
    try Recipe.parse(Array(text.utf8), file: "image.yaml", folder: "/recipes/tiny")
  }

  @Test func theBundledRecipeIsReadAndItsLockFits() throws {
    let root = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    let folder = root.appending("images/paddle-2.6-cpu")
    let recipe = try Recipe.read(in: folder)
    #expect(recipe.name == "paddle-2.6-cpu")
    #expect(recipe.debian.layers.map(\.name) == ["base", "python"])
    let lock = try RecipeLock.read(in: folder)
    try lock.requireMatch(recipe)
    #expect(lock.debian.contains { $0.package == "catatonit" && $0.layer == "base" })
    #expect(lock.python.contains { $0.project == "paddlepaddle" && $0.version == "2.6.2" })
    #expect(try BundledTree.pins(of: recipe) == lock.files, "the bundled files changed: run 'envctl image lock'")
    let text = String(decoding: try FileSystem.readFile(folder.appending("image.lock")), as: UTF8.self)
    #expect(!text.contains("://"), "a lock names no host")
  }

  @Test(arguments: [
    ("nam: x\n", "image.yaml:1:1: unknown key 'nam'"),
    ("name: [x]\n", "image.yaml:1:7: expected text, found a list"),
    ("name: Bad Name\n", "image.yaml:1:7: expected a name"),
    ("name: tiny\nplatform: amd64\n", "image.yaml:2:11: expected a platform"),
    ("name: tiny\nplatform: linux/amd64\ncreated: yesterday\n", "image.yaml:3:10: expected a date"),
    ("name: tiny\n", "the key 'platform' is missing"),
    ("name: tiny\nname: tiny\n", "the key 'name' stands here twice"),
    ("name: 'x\n", "image.yaml:"),
    ("", "image.yaml:1:1: the file is empty"),
  ])
  func mistakesAreShownWithTheirPlace(text: String, message: String) {
    let error = #expect(throws: YAMLError.self) { try Self.parse(text) }
    #expect(error?.summary.contains(message) == true, "\(error?.summary ?? "")")
    #expect(error?.exitCode == .usage)
  }

  @Test(arguments: [
    ("workdir: /workspace", "workdir: workspace"), ("workdir: /workspace", "workdir: /a/../b"), ("[dash]", "[\"--option\"]"),
    ("[dash]", "dash"), ("base: [dash]", "{}"), ("bookworm", "../../etc"), ("workdir", "files: {/x: ../../outside}\nworkdir"),
    ("workdir", "links: {x: /y}\nworkdir"), ("workdir", "links: {/x: y}\nworkdir"), ("workdir", "links: {/x: /a/../y}\nworkdir"),
    ("workdir", "files: {/x: /etc}\nworkdir"), ("workdir", "files: {x: y}\nworkdir"),
    ("workdir", "python: {version: \"3\", before: 2024-10-15, requirements: []}\nworkdir"),
    ("workdir", "python: {version: \"3.11\", before: 2024-10-15, requirements: [\"--index-url=x\"]}\nworkdir"),
    ("workdir", "environment: {A=B: c}\nworkdir"),
  ])
  func valuesThatCannotBeMeantAreRefused(good: String, bad: String) {
    #expect(throws: YAMLError.self) { try Self.parse(Self.minimal.replacing(good, with: bad)) }
  }

  @Test func whatTheDigestsCover() throws {
    let recipe = try Self.parse(Self.minimal)
    let commented = try Self.parse("# a comment\n" + Self.minimal)
    let relabelled = try Self.parse(Self.minimal + "labels: {a: b}\n")
    let repackaged = try Self.parse(Self.minimal.replacing("dash", with: "bash"))
    #expect(try recipe.digest == commented.digest)
    #expect(try recipe.digest != relabelled.digest)
    let linked = try Self.parse(Self.minimal + "links: {/b: /usr/bin/b, /a: /usr/bin/a}\n")
    #expect(linked.links.map(\.path.description) == ["/a", "/b"])
    #expect(try recipe.digest != linked.digest)
    #expect(try recipe.resolutionDigest == linked.resolutionDigest)
    #expect(try recipe.resolutionDigest == relabelled.resolutionDigest)
    #expect(try recipe.resolutionDigest != repackaged.resolutionDigest)
  }

  private func lock(for recipe: Recipe) throws -> RecipeLock {
    RecipeLock(
      schema: 1, name: recipe.name, recipe: try recipe.digest, resolution: try recipe.resolutionDigest, debian: [], python: [], files: [])
  }

  @Test func aLockRoundTrips() throws {
    let folder = try TemporaryFolder()
    let lock = try lock(for: Self.parse(Self.minimal))
    try lock.write(in: folder.path)
    #expect(try RecipeLock.read(in: folder.path) == lock)
  }

  @Test func aLockOfANewerSchemaIsRefusedBeforeItsContentIsLookedAt() {
    let error = #expect(throws: ImageError.self) {
      try RecipeLock.parse(Array("{\"schema\": 2, \"new\": true}".utf8), object: "image.lock")
    }
    guard case .lockSchema("image.lock", 2, 1) = error else { Issue.record("unexpected \(String(describing: error))"); return }
    #expect(error?.exitCode == .usage)
  }

  @Test func aMissingLockSaysHowToMakeOne() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: ImageError.self) { try RecipeLock.read(in: folder.path) }
    #expect(error?.hint?.contains("envctl image lock") == true)
  }

  @Test func aLockOfAnotherRecipeIsRefused() throws {
    let lock = try lock(for: Self.parse(Self.minimal))
    let error = #expect(throws: ImageError.self) { try lock.requireMatch(Self.parse(Self.minimal + "user: '1:1'\n")) }
    guard case .lockOutdated("tiny", _, _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test(arguments: [
    ("1970-01-01", 0), ("2000-02-29T12:34:56Z", 951_827_696), ("2024-10-15T00:00:00.123456Z", 1_728_950_400), ("1969-12-31", -86_400),
  ])
  func timestamps(text: String, seconds: Int64) throws {
    let time = try #require(Timestamp(parsing: text))
    #expect(time.secondsSinceEpoch == seconds)
    #expect(Timestamp(parsing: time.description) == time)
  }

  @Test(arguments: ["", "2024", "2024-13-01", "2023-02-29", "2024-10-15T00:00:00", "2024-10-15T00:00:00+02:00", "2024-10-15x", "24-10-15"])
  func textsThatAreNoTime(text: String) { #expect(Timestamp(parsing: text) == nil) }
}
