import Metainfo
import Testing

@testable import Store

/// The promises of the piece store under crashes, power cuts and errors. Each failure names its seed.
@Suite struct PieceStoreCrashTests {
  static let layouts = [v2, hybrid, v1]

  /// Files of many sizes, two of them of equal content, an empty one.
  static let lengths: [UInt64] = [70_000, 1, 0, 16_384, 16_384, 40_000]

  static var entries: [FileEntry] {
    lengths.enumerated().map { number, length in
      let name = PieceStoreNames.path("file\(number)")
      let root = SHA256Digest(hashing: [number == 4 ? 3 : UInt8(number)])
      return FileEntry(path: name, length: length, piecesRoot: length == 0 ? nil : root)
    }
  }

  @Sendable static func v2() throws -> ContentLayout {
    ContentLayout(
      geometry: try PieceGeometry(v2Lengths: lengths, pieceLength: 32_768), entries: entries)
  }

  @Sendable static func hybrid() throws -> ContentLayout {
    var start: UInt64 = 0
    let files = lengths.map { length in
      defer { start += (length + 32_767) / 32_768 * 32_768 }
      return PieceGeometry.File(length: length, v1Offset: start)
    }
    return ContentLayout(
      geometry: try PieceGeometry(hybridFiles: files, v1Length: start, pieceLength: 32_768),
      entries: entries)
  }

  @Sendable static func v1() throws -> ContentLayout {
    var start: UInt64 = 0
    let files = lengths.enumerated().map { number, length in
      if number == 5 { start += 20_000 }
      defer { start += length }
      return PieceGeometry.File(length: length, v1Offset: start)
    }
    let geometry = try PieceGeometry(v1Files: files, v1Length: start, pieceLength: 40_000)
    return ContentLayout(
      v1Geometry: geometry, entries: entries, infoHash: SHA1Digest(hashing: [1]))
  }

  /// A map that cannot be read is tried again ever more seldom, is told of twice, and opens when it can
  /// be read after all.
  @Test func aMapThatCannotBeRead() throws {
    let failure = DiskFailure(reason: .other, description: "no")
    var store = PieceStore(owned: try Self.v2(), policy: StoreHarness.policy)
    store.open(now: .zero)
    var now = Duration.zero
    var told: [String] = []
    var tries = 0
    var opened = false
    func pass(fails: Bool) {
      while let operation = store.nextOperation() {
        if case .loadMap = operation.action { tries += 1 }
        store.handle(
          DiskCompletion(id: operation.id, result: fails ? .failure(failure) : .success(.map(nil))),
          now: now)
      }
      while let notice = store.nextNotice() {
        if case .failed(let failure) = notice { told.append(failure.description) }
        if case .opened = notice { opened = true }
      }
    }
    pass(fails: true)
    #expect(told == ["no"] && !store.isBlocked)
    let maps = tries
    for _ in 0..<12 {
      let due = try #require(store.deadline)
      #expect(due > now && due - now <= PieceStoreLimits.longestMapRetry)
      now = due
      store.handleTimeout(now: now)
      pass(fails: true)
    }
    #expect(tries == 13 * maps && now > .seconds(1_500))
    #expect(told.count == 2 && told[1].hasPrefix("no; "), "\(told)")
    #expect(store.isBlocked && !opened)
    now += PieceStoreLimits.longestMapRetry
    store.handleTimeout(now: now)
    pass(fails: false)
    #expect(opened && !store.isBlocked && told.count == 2)
  }

  @Test(arguments: 0..<3)
  func randomCrashes(kind: Int) throws {
    let layout = try Self.layouts[kind]()
    for seed in 0..<200 as Range<UInt64> {
      var harness = StoreHarness(layout, seed: seed)
      harness.play(steps: 60)
    }
  }

  @Test(arguments: 0..<3)
  func randomCrashesAndErrors(kind: Int) throws {
    let layout = try Self.layouts[kind]()
    for seed in 1000..<1200 as Range<UInt64> {
      var harness = StoreHarness(layout, seed: seed, faults: .init(errorsOneIn: 12))
      harness.play(steps: 60)
    }
  }

  @Test(arguments: 0..<3)
  func crashAtEveryOperation(kind: Int) throws {
    let layout = try Self.layouts[kind]()
    for seed in 0..<1 as Range<UInt64> {
      for operation in 0..<120 {
        var harness = StoreHarness(layout, seed: seed, faults: .init(crashOperation: operation))
        harness.start()
        for _ in 0..<400 where harness.operations < operation { harness.act() }
        harness.crash(power: operation % 2 == 0)
        harness.play(steps: 10)
      }
    }
  }

  @Test(arguments: 0..<3)
  func errorAtEveryOperation(kind: Int) throws {
    let layout = try Self.layouts[kind]()
    for seed in 0..<1 as Range<UInt64> {
      for operation in 1..<120 {
        var harness = StoreHarness(layout, seed: seed, faults: .init(failOperation: operation))
        harness.play(steps: 40)
      }
    }
  }
}

/// Names for tests.
enum PieceStoreNames {
  static func path(_ text: String) -> ContentPath {
    do {
      return try ContentPath(
        text.utf8.split(separator: UInt8(ascii: "/")).map { try PathElement($0) })
    } catch {
      preconditionFailure("\(error)")
    }
  }
}
