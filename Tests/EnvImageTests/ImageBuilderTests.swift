/// From a lock to an image, over mirrors and indexes on disk.
import Archive
import EnvCore
import EnvStore
import HTTP
import Hashing
import OCI
import SafeFS
import SystemPackage
import Testing

@testable import EnvImage

/// A recipe with two packages, a wheel and a bundled file, and servers on disk that have them.
final class Workshop {
  let folder: TemporaryFolder
  var recipe: Recipe
  var lock: RecipeLock
  let wheel: WheelBuilder

  init() throws {
    folder = try TemporaryFolder()
    var files = DebBuilder(package: "base-files")
    files.folder("")
    files.folder("etc")
    for name in ["dot.bashrc", "dot.profile", "motd", "profile"] { files.file("usr/share/base-files/" + name, name) }
    var dash = DebBuilder(package: "dash", architecture: "amd64")
    dash.file("bin/sh", "shell", 0o755, modified: 4_000_000_000_000_000_000)
    var wheel = WheelBuilder(name: "thing")
    wheel.file("thing.py", "x = 1\n")
    self.wheel = wheel
    let debs = try [files.build(), dash.build()]
    let pins = [files.pin(debs[0]), dash.pin(debs[1])]
    for (pin, bytes) in zip(pins, debs) { try folder.write("mirror/" + pin.path, bytes) }
    let wheelBytes = wheel.build()
    let wheelPin = wheel.pin(wheelBytes)
    try folder.write("index/thing/\(wheel.filename)", wheelBytes)
    try folder.write("index/thing/index.html", Array("<a href=\"\(wheel.filename)#sha256=\(wheelPin.sha256.hex)\">w</a>".utf8))
    try FileSystem.createDirectories(folder.path.appending("recipes/tiny"))
    try folder.write("recipes/shared/run.py", Array("print()\n".utf8), mode: 0o755)
    recipe = try Recipe.parse(
      Array(
        """
        name: tiny
        platform: linux/amd64
        created: 2024-10-15
        debian: {suite: bookworm, layers: {base: [base-files, dash]}}
        python: {version: "3.11", before: 2024-10-15, requirements: [thing]}
        files: {/usr/lib/own: ../shared}
        environment: {B: "2", A: "1"}
        workdir: /workspace
        labels: {k: v}
        """.utf8), file: "image.yaml", folder: folder.path.appending("recipes/tiny"))
    lock = RecipeLock(
      schema: 1, name: "tiny", recipe: try recipe.digest, resolution: try recipe.resolutionDigest, debian: pins, python: [wheelPin],
      files: try BundledTree.pins(of: recipe))
  }

  func store(_ name: String = "home") throws -> Store { try Store(home: folder.path.appending(name)) }

  func build(in store: Store) throws -> StoredImage {
    let (mirror, index) = ("file://\(folder.path)/mirror", "file://\(folder.path)/index")
    let origins = PackageOrigins(debianMirrors: { _ in ["file:///nowhere", mirror] }, pythonIndexes: { [index] })
    return try ImageBuilder(store: store, reporter: SilentReporter(), client: HTTPClient(), origins: origins).build(recipe, lock)
  }

  /// A builder whose machine knows no server at all.
  func buildWithoutServers(in store: Store) throws -> StoredImage {
    let origins = PackageOrigins(
      debianMirrors: { throw ImageError.noDebianSource(suite: $0) }, pythonIndexes: { throw ImageError.noPythonIndex })
    return try ImageBuilder(store: store, reporter: SilentReporter(), client: HTTPClient(), origins: origins).build(recipe, lock)
  }
}

@Suite struct ImageBuilderTests {
  private let workshop: Workshop

  init() throws { workshop = try Workshop() }

  @Test func anImageIsBuiltFromItsLock() throws {
    let image = try workshop.build(in: workshop.store())
    #expect(image.layers.count == 3)
    #expect(image.layers.allSatisfy { $0.descriptor.digest == $0.diffID && $0.descriptor.mediaType == .layerTar })
    #expect(image.config.created == "2024-10-15T00:00:00Z")
    #expect(image.config.config?.environment == ["B=2", "A=1"])
    #expect(image.config.config?.workingDirectory == "/workspace")
    #expect(image.config.history?.map(\.comment) == ["Debian bookworm: base", "Python packages: thing", "files of tiny"])
    let store = try workshop.store()
    var paths: [[String]] = []
    for layer in image.layers {
      let blob = try #require(try store.blob(layer.diffID, object: "layer"))
      var reader = try ArchiveReader(opening: blob.path.string, format: .tar)
      var names: [String] = []
      while let entry = try reader.next() { names.append(entry.path) }
      paths.append(names)
    }
    #expect(paths[0].contains("usr/bin/sh") && paths[0].contains("root/.bashrc") && paths[0].contains("var/run"))
    #expect(paths[1].contains("usr/local/lib/python3.11/dist-packages/thing.py"))
    #expect(paths[2] == ["./", "usr/", "usr/lib/", "usr/lib/own/", "usr/lib/own/run.py", "workspace/"])
  }

  /// Changes the recipe and keeps what its lock pins.
  private func link(_ path: String, to target: String) throws {
    workshop.recipe.links = [Recipe.Link(path: try #require(RecipePath(path)), target: try #require(RecipePath(target)))]
    workshop.lock.recipe = try workshop.recipe.digest
  }

  @Test func linksLieBesideTheFiles() throws {
    try link("/usr/lib/thing.so", to: "/usr/local/lib/python3.11/dist-packages/thing.py")
    let store = try workshop.store()
    let image = try workshop.build(in: store)
    let top = try #require(image.layers.last)
    let blob = try #require(try store.blob(top.diffID, object: "layer"))
    var reader = try ArchiveReader(opening: blob.path.string, format: .tar)
    var kinds: [String: ArchiveEntry.Kind] = [:]
    while let entry = try reader.next() { kinds[entry.path] = entry.kind }
    #expect(kinds["usr/lib/thing.so"] == .symlink(target: "/usr/local/lib/python3.11/dist-packages/thing.py"))
  }

  @Test func aLinkToNothingIsRefused() throws {
    try link("/usr/lib/thing.so", to: "/usr/lib/other.so")
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .danglingLink("/usr/lib/thing.so", "/usr/lib/other.so") = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
  }

  @Test func aLinkDoesNotHideAFile() throws {
    try link("/usr/bin/sh", to: "/usr/lib/own/run.py")
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .conflict("usr/bin/sh", _, _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func theDigestIsTheSameInAnotherStore() throws {
    let first = try workshop.build(in: workshop.store("one"))
    let second = try workshop.build(in: workshop.store("two"))
    #expect(first.manifestDigest == second.manifestDigest)
  }

  @Test func aFullStoreNeedsNoServer() throws {
    let store = try workshop.store()
    let first = try workshop.build(in: store)
    #expect(try workshop.buildWithoutServers(in: store).manifestDigest == first.manifestDigest)
    #expect(throws: ImageError.self) { try workshop.buildWithoutServers(in: workshop.store("empty")) }
  }

  @Test func aDamagedPackageInTheStoreIsNamed() throws {
    let store = try workshop.store()
    _ = try workshop.build(in: store)
    let pin = workshop.lock.debian[1]
    let blob = try #require(try store.blob(pin.sha256, object: pin.path))
    try FileSystem.writeAtomically([1, 2, 3], to: blob.path)
    let error = #expect(throws: StoreError.self) { try workshop.build(in: store) }
    guard case .digestMismatch(pin.path, pin.sha256, Digest.sha256(of: [1, 2, 3]), _) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    #expect(error?.exitCode == .verification)
  }

  @Test func aMirrorWithOtherBytesIsRefused() throws {
    let pin = workshop.lock.debian[0]
    var bytes = try FileSystem.readFile(workshop.folder.path.appending("mirror/" + pin.path))
    bytes[bytes.count / 2] ^= 1
    try workshop.folder.write("mirror/" + pin.path, bytes)
    let error = try #require(#expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) })
    guard case StoreError.digestMismatch(pin.path, pin.sha256, Digest.sha256(of: bytes), _)? = error.cause else {
      Issue.record("unexpected \(error)")
      return
    }
    #expect(DiagnosticChain(error).exitCode == .verification)
  }

  @Test func aMirrorWithoutTheFileIsNamed() throws {
    try FileSystem.removeFile(workshop.folder.path.appending("mirror/" + workshop.lock.debian[0].path))
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .fetchFailed(workshop.lock.debian[0].path, let tried, _) = error else {
      Issue.record("unexpected \(String(describing: error))"); return
    }
    #expect(tried.count == 2)
  }

  @Test func anIndexWithoutTheFileIsNamed() throws {
    try workshop.folder.write("index/thing/index.html", Array("<a href=\"thing-2.0-py3-none-any.whl\">w</a>".utf8))
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .notOnIndex("thing-1.0-py3-none-any.whl", "thing", _) = error else {
      Issue.record("unexpected \(String(describing: error))"); return
    }
  }

  @Test func anIndexThatListsAnotherDigestIsRefused() throws {
    let other = Digest.sha256(of: [9])
    try workshop.folder.write("index/thing/index.html", Array("<a href=\"\(workshop.wheel.filename)#sha256=\(other.hex)\">w</a>".utf8))
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .digestDiffersOnIndex(_, _, other) = error else { Issue.record("unexpected \(String(describing: error))"); return }
    #expect(error?.exitCode == .verification)
  }

  @Test func aBundledFileThatChangedIsNamed() throws {
    try workshop.folder.write("recipes/shared/run.py", Array("print(1)\n".utf8))
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .fileChanged(let path, _, _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
    #expect(path.hasSuffix("shared/run.py"))
    #expect(error?.hint?.contains("envctl image lock") == true)
  }

  @Test func aLockOfAnotherRecipeBuildsNothing() throws {
    workshop.lock.recipe = .sha256(of: [])
    let error = #expect(throws: ImageError.self) { try workshop.build(in: workshop.store()) }
    guard case .lockOutdated = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func aLockThatIsNotCurrentNamesTheFiles() throws {
    try workshop.lock.requireCurrent(workshop.recipe)
    try workshop.folder.write("recipes/shared/new.py", [])
    try workshop.folder.write("recipes/shared/__pycache__/new.pyc", [])
    let error = #expect(throws: ImageError.self) { try workshop.lock.requireCurrent(workshop.recipe) }
    guard case .filesOutdated("tiny", ["/usr/lib/own/new.py"]) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
  }

  @Test func lockingAgainKeepsThePackagesAndLooksAtTheFiles() throws {
    try workshop.folder.write("recipes/shared/new.py", [])
    let locker = RecipeLocker(store: try workshop.store(), reporter: SilentReporter())
    let lock = try locker.lock(workshop.recipe, previous: workshop.lock)
    #expect(lock.debian == workshop.lock.debian && lock.python == workshop.lock.python)
    #expect(lock.files.map(\.path.description) == ["/usr/lib/own/new.py", "/usr/lib/own/run.py"])
    #expect(lock.files.map(\.isExecutable) == [false, true])
  }
}
