/// A lock on disk → a pinned environment that can be built and mixed with another. What is built of them is `Bisect`'s work.
import EnvCatalog
import EnvCore
import EnvImage
import Hashing
import SafeFS
import SystemPackage

extension Workbench {
  /// The environment of an `image.lock` with its `image.yaml` and files beside it, or of an `envctl.lock` with its `envctl.yaml`.
  ///
  /// An `image.lock` alone, such as version control has of an earlier day, pins packages; the rest is taken from the catalog's recipe of its name.
  /// - Throws: `FlowError` for what is no lock or lacks its recipe; `PolicyError.unpinned`.
  func pinnedRecipe(of file: FilePath) throws -> PinnedRecipe {
    let bytes = try FileSystem.readFile(file, limit: 16 << 20)
    let shape: LockShape
    do throws(JSONError) {
      shape = try CanonicalJSON.decode(LockShape.self, from: bytes, object: "'\(file)'")
    } catch {
      throw FlowError.notALock(file, underlying: error)
    }
    if shape.recipe != nil { return try pinnedRecipe(RecipeLock.parse(bytes, object: "'\(file)'"), file) }
    guard shape.environment != nil else { throw FlowError.notALock(file, underlying: nil) }
    return try pinnedRecipe(EnvironmentLock.parse(bytes, file: file), file)
  }

  /// What tells the two kinds of lock apart.
  private struct LockShape: Decodable {
    var recipe: String?
    var environment: String?
  }

  private func pinnedRecipe(_ lock: RecipeLock, _ file: FilePath) throws -> PinnedRecipe {
    let beside = try FileSystem.canonicalPath(file).removingLastComponent()
    let isBeside = FileSystem.exists(beside.appending(Recipe.fileName))
    let folder: FilePath
    do {
      folder = isBeside ? beside : try catalog.recipeFolder(lock.name)
    } catch CatalogError.unknownRecipe {
      throw FlowError.lockWithoutRecipe(file, recipe: lock.name)
    }
    let recipe = try Recipe.read(in: folder)
    guard recipe.platform == platform else { throw FlowError.lockOfOtherPlatform(file, recipe.platform, host: platform) }
    if isBeside {
      try requirePinned(recipe: folder)
      guard try recipe.digest == lock.recipe else { throw FlowError.lockOfOtherRecipe(file) }
      return try PinnedRecipe(recipe, lock)
    }
    let packages = try lock.takingFiles(of: recipe)
    if try recipe.digest != lock.recipe || packages.files != lock.files {
      reporter.warned("'\(file)' was made from another image.yaml or other files than the catalog's; what is no package is the catalog's")
    }
    return try PinnedRecipe(try withItsPython(recipe, lock, file), packages)
  }

  /// The recipe with the Python that a lock's own packages are of.
  private func withItsPython(_ recipe: Recipe, _ lock: RecipeLock, _ file: FilePath) throws -> Recipe {
    guard let version = recipe.python?.version else { return recipe }
    let locked = lock.pythonVersions
    guard locked.count <= 1 else { throw FlowError.lockOfOtherPython(file, locked: locked, recipe: version) }
    var recipe = recipe
    recipe.python?.version = locked.first ?? version
    return recipe
  }

  private func pinnedRecipe(_ lock: EnvironmentLock, _ file: FilePath) throws -> PinnedRecipe {
    let locked = lock.images[platform.description]?.manifest.digest
    guard case .catalog(let name) = lock.resolved else {
      throw FlowError.lockOfOtherImage(file, environment: lock.environment, locked: locked, current: nil)
    }
    let entry = try catalog.entry(name)
    guard let locked, locked == entry.images[platform] else {
      throw FlowError.lockOfOtherImage(file, environment: name, locked: locked, current: entry.images[platform])
    }
    let recipe = try Recipe.read(in: entry.recipe)
    let pins = try RecipeLock.read(in: entry.recipe)
    try pins.requireMatch(recipe)
    let project = try ProjectFile.read(in: FileSystem.canonicalPath(file).removingLastComponent())
    let settings = Dictionary((project?.variables ?? []).map { ($0.name, $0.value) }) { _, last in last }
    return try PinnedRecipe(recipe, pins, settings: settings)
  }
}
