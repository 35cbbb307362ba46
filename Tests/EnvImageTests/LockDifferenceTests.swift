/// Two locks taken apart and put together again, and what packages say they need.
import EnvCore
import EnvStore
import HTTP
import Hashing
import SafeFS
import SystemPackage
import Testing

@testable import EnvImage

@Suite struct LockDifferenceTests {
  private let workshop: Workshop

  init() throws { workshop = try Workshop() }

  /// The workshop's environment, changed.
  private func pinned(
    settings: [String: String] = [:], _ change: (inout Recipe, inout RecipeLock) throws -> Void = { _, _ in }
  ) throws -> PinnedRecipe {
    var (recipe, lock) = (workshop.recipe, workshop.lock)
    try change(&recipe, &lock)
    return try PinnedRecipe(recipe, lock, settings: settings)
  }

  private func wheel(_ name: String, _ version: String, requires: String..., in store: Store? = nil) throws -> RecipeLock.WheelPin {
    var builder = WheelBuilder(name: name)
    builder.version = version
    builder.requirements = requires
    let bytes = builder.build()
    _ = try store?.ingest(bytes, object: name)
    return builder.pin(bytes)
  }

  private func debian(_ name: String, _ version: String, depends: String = "", in store: Store) throws -> RecipeLock.DebianPin {
    var builder = DebBuilder(package: name)
    builder.version = version
    if !depends.isEmpty { builder.extraFields = "Depends: \(depends)\n" }
    let bytes = try builder.build()
    _ = try store.ingest(bytes, object: name)
    return builder.pin(bytes)
  }

  @Test func aPackageThatTheRecipeHasNoLayerForIsNotLeftOut() throws {
    let error = #expect(throws: ImageError.self) {
      try pinned { recipe, _ in recipe.debian.layers[0].name = "renamed" }
    }
    #expect(error?.summary.contains("which the recipe '\(workshop.recipe.name)' does not have") == true)
  }

  @Test func everythingThatDiffersIsAChange() throws {
    let good = try pinned(settings: ["SEED": "1"])
    let new = try wheel("thing", "2.0")
    let bad = try pinned(settings: ["SEED": "2"]) { recipe, lock in
      lock.debian.removeAll { $0.package == "dash" }
      lock.python = [new, try wheel("other", "0.1")]
      lock.files.removeAll()
      recipe.environment = ["B=3", "C="]
      recipe.user = "1:1"
      recipe.workingDirectory = try #require(RecipePath("/w"))
      recipe.labels = ["other": "label"]
      recipe.command = ["true"]
    }
    let digest = try #require(workshop.lock.files.first).sha256.short
    #expect(
      LockDifference(from: good, to: bad).changes.map(\.description) == [
        "package dash: 1.0-1 → none", "wheel other: none → 0.1", "wheel thing: 1.0 → 2.0",
        "file /usr/lib/own/run.py: \(digest) → none", "variable A: 1 → none", "variable B: 2 → 3", "variable C: none → ",
        "setting SEED: 1 → 2", "user: 0:0 → 1:1", "working directory: /workspace → /w",
      ])
    #expect(LockDifference(from: good, to: good).changes.isEmpty)
  }

  @Test func withoutAndWithAllChangesItIsOneOfTheTwo() throws {
    let good = try pinned(settings: ["X": "1"])
    let bad = try pinned { recipe, lock in
      lock.debian.removeAll { $0.package == "dash" }
      lock.python = [try wheel("thing", "2.0"), try wheel("zoo", "1.0")]
      recipe.environment = ["B=3", "D=4"]
    }
    let difference = LockDifference(from: good, to: bad)
    for (applied, expected) in [(Set<Int>(), good), (Set(difference.changes.indices), bad)] {
      let mixed = try difference.applying(applied)
      #expect(mixed.lock == expected.lock)
      #expect(mixed.recipe.environment == expected.recipe.environment)
      #expect(mixed.settings == expected.settings)
      try mixed.lock.requireMatch(mixed.recipe)
    }
    let one = try difference.applying([try #require(difference.changes.firstIndex { $0.name == "zoo" })])
    #expect(one.lock.python.map(\.filename) == ["thing-1.0-py3-none-any.whl", "zoo-1.0-py3-none-any.whl"])
    #expect(one.recipe.environment == good.recipe.environment)
  }

  @Test func aLayerOfTheBadOneIsAddedWithItsPackages() throws {
    let good = try pinned()
    let bad = try pinned { recipe, lock in
      recipe.debian.layers.append(Recipe.Debian.Layer(name: "more", packages: ["zsh"]))
      lock.debian.append(try debian("zsh", "5", in: workshop.store("other")))
      lock.debian[lock.debian.count - 1].layer = "more"
    }
    let difference = LockDifference(from: good, to: bad)
    #expect(try difference.applying([]).recipe.debian.layers.map(\.name) == ["base"])
    #expect(try difference.applying([0]).recipe.debian.layers.map(\.name) == ["base", "more"])
    #expect(try difference.applying([0]).lock.debian.map(\.package) == ["base-files", "dash", "zsh"])
  }

  @Test func imagesInBetweenAreBuiltAndShareLayers() throws {
    let store = try workshop.store()
    let plain = try workshop.build(in: store)
    try workshop.folder.write("more/lib/drift.so", Array("elf".utf8))
    let good = try pinned()
    let place = try #require(RecipePath("/usr/lib/own"))
    let bad = try pinned { recipe, _ in recipe.environment.append("LD_PRELOAD=/usr/lib/own/drift.so") }
      .replacing(place, by: workshop.folder.path.appending("more/lib"))
    let difference = LockDifference(from: good, to: bad)
    #expect(difference.changes.map(\.kind) == [.file, .file, .variable])
    let memory = LayerMemory()
    let origins = PackageOrigins(
      debianMirrors: { throw ImageError.noDebianSource(suite: $0) }, pythonIndexes: { throw ImageError.noPythonIndex })
    let builder = ImageBuilder(store: store, reporter: SilentReporter(), client: HTTPClient(), origins: origins, memory: memory)
    func image(_ applied: Set<Int>) throws -> StoredImage {
      let mixed = try difference.applying(applied)
      return try builder.build(mixed.recipe, mixed.lock, isRecorded: false)
    }
    #expect(try image([]).manifestDigest == plain.manifestDigest)
    let added = try image([0])
    #expect(added.layers.dropLast() == plain.layers.dropLast())
    #expect(added.layers.last != plain.layers.last)
    #expect(try image([2]).config.config?.environment == ["B=2", "A=1", "LD_PRELOAD=/usr/lib/own/drift.so"])
    #expect(try image([2]).layers == plain.layers)
    // An image that is only tried is not listed.
    #expect(try store.recordedImages().map(\.manifest) == [plain.manifestDigest])
  }

  @Test func whatWheelsRequireIsNeeded() throws {
    let store = try workshop.store()
    let good = try pinned { _, lock in
      lock.python = [
        try wheel("a", "1.0", requires: "b<2", "gone", in: store), try wheel("b", "1.0", in: store), try wheel("gone", "1.0", in: store),
      ]
    }
    let bad = try pinned { _, lock in
      lock.python = [
        try wheel("a", "2.0", requires: "B (>=2,<3)", "new; python_version > '3'", "odd ; extra == 'test'", in: store),
        try wheel("b", "2.1", in: store), try wheel("new", "1.0", in: store), try wheel("odd", "1.0", in: store),
      ]
    }
    let difference = LockDifference(from: good, to: bad)
    let names = difference.changes.map(\.name)
    #expect(names == ["a", "b", "gone", "new", "odd"])
    let needs = Set(try difference.needs(in: store).map { "\(names[$0.change]) needs \(names[$0.needed])" })
    #expect(needs == ["a needs b", "b needs a", "gone needs a", "a needs new"])
  }

  @Test func whatDebianPackagesDependOnIsNeeded() throws {
    let store = try workshop.store()
    let good = try pinned { _, lock in
      lock.debian = [try debian("lib", "1", in: store), try debian("tool", "1", depends: "lib (= 1), virtual", in: store)]
    }
    let bad = try pinned { _, lock in
      lock.debian = [
        try debian("lib", "2", in: store), try debian("tool", "2", depends: "lib (>= 1), extra:any | other", in: store),
        try debian("extra", "1", in: store),
      ]
    }
    let difference = LockDifference(from: good, to: bad)
    let names = difference.changes.map(\.name)
    let needs = Set(try difference.needs(in: store).map { "\(names[$0.change]) needs \(names[$0.needed])" })
    #expect(needs == ["lib needs tool", "tool needs extra"])
  }

  @Test func anotherInterpreterComesWithItsWheels() throws {
    let good = try pinned { _, lock in lock.python[0].filename = "thing-1.0-cp311-cp311-manylinux_2_17_x86_64.whl" }
    let bad = try pinned { recipe, lock in
      recipe.python?.version = "3.12"
      lock.python = [try wheel("thing", "1.0"), try wheel("pure", "1.0")]
      lock.python[0].filename = "thing-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    }
    let difference = LockDifference(from: good, to: bad)
    let names = difference.changes.map { $0.kind == .interpreter ? "python" : $0.name }
    let needs = Set(try difference.needs(in: workshop.store()).map { "\(names[$0.change]) needs \(names[$0.needed])" })
    #expect(needs == ["thing needs python", "python needs thing"])
    #expect(try difference.applying([0, 1, 2]).recipe.python?.version == "3.12")
  }
}

@Suite struct PythonRequirementTests {
  @Test(arguments: [
    ("numpy>=1.13", "1.26.4", true), ("numpy>=1.13", "1.9", false), ("numpy<2", "2.0.0rc1", false), ("numpy<2", "2.0", false),
    ("opt_einsum (==3.3.0)", "3.3", true), ("x!=1.5,>1", "1.5.0", false), ("x~=2.2.1", "2.2.9", true), ("x~=2.2.1", "2.3", false),
    ("x==1.*", "1.99", true), ("x!=1.*", "1.99", false), ("x[y,z]>=3", "2.9", false), ("x>=1.0a1", "1.0rc1", true),
    ("x===anything", "1", true), ("x>=unknown", "1", true), ("x", "0", true),
  ])
  func versionsAreCompared(_ requirement: String, _ version: String, _ isMet: Bool) throws {
    #expect(try #require(PythonRequirement(requirement)).isMet(by: version) == isMet)
  }

  @Test func whatIsAbsentMeetsNothing() throws {
    #expect(try #require(PythonRequirement("x")).isMet(by: nil) == false)
    #expect(PythonRequirement("x; extra == 'dev'") == nil)
    #expect(PythonRequirement("Type_Extensions")?.project == "type-extensions")
  }
}
