import TestSupport
import Testing

@testable import Metainfo

@Suite struct VersionTrailTests {
  private func digest(_ number: UInt64) -> SHA256Digest {
    SHA256Digest(hashing: Array("\(number)".utf8))
  }

  private func start(_ number: UInt64) -> VersionTrail {
    VersionTrail(from: .init(number: number, infohash: digest(number)))
  }

  private func version(_ number: UInt64, before: UInt64?) throws -> VersionInfo {
    try #require(VersionInfo(number: number, previous: before.map(digest)))
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func itGoesDownToTheFirstWhateverGapsThereAre(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let numbers = (1...40).filter { _ in Bool.random(using: &random) }.map { UInt64($0) } + [41]
    var trail = start(41)
    var reached: [UInt64] = []
    for (index, number) in numbers.enumerated().reversed() {
      #expect(trail.next == digest(number), "seed \(seed)")
      #expect(trail.nextNumber >= number, "seed \(seed)")
      let before = index > 0 && number > 1 ? numbers[index - 1] : nil
      let stop = try trail.arrive(at: try version(number, before: before))
      #expect(stop == .init(number: number, infohash: digest(number)), "seed \(seed)")
      reached.append(stop.number)
      if before == nil { break }
    }
    #expect(reached == numbers.reversed(), "seed \(seed)")
    #expect(trail.next == nil && trail.nextNumber == 0)
  }

  @Test func aNumberThatDoesNotGoDownIsAnError() throws {
    for number in [5, 6, VersionInfo.mostVersions] as [UInt64] {
      var trail = start(5)
      _ = try trail.arrive(at: try version(5, before: 9))
      #expect(throws: VersionTrailError.goesUp(from: 5, to: number)) {
        try trail.arrive(at: try version(number, before: 3))
      }
      // And it stands where it stood.
      #expect(trail.next == digest(9) && trail.last?.number == 5)
    }
  }

  @Test func whatIsVouchedForMustSaySo() throws {
    var trail = start(5)
    #expect(throws: VersionTrailError.wrongNumber(4, expected: 5)) {
      try trail.arrive(at: try version(4, before: nil))
    }
    // A stock publisher of heads says nothing in the torrent.
    #expect(try trail.arrive(at: nil as VersionInfo?).number == 5)
    #expect(trail.next == nil)
    trail = start(5)
    _ = try trail.arrive(at: try version(5, before: 4))
    #expect(throws: VersionTrailError.notAVersion(before: 5)) {
      try trail.arrive(at: nil as VersionInfo?)
    }
  }
}

@Suite struct VersionLinkTests {
  static let key = String(repeating: "5a", count: 32)

  private func link(_ text: String) throws(MagnetError) -> MagnetLink? {
    if case .link(let link) = try LinkArgument(parsing: text.utf8) { link } else { nil }
  }

  @Test(arguments: [
    "\(key)@3", "\(key.uppercased())@3", "urn:btpk:\(key)@3", "magnet:?xs=urn:btpk:\(key)&x.v=3",
    "magnet:?x.v=3&xs=urn:btpk:\(key)&x.v=3",
  ])
  func numbersOfVersions(text: String) throws {
    let link = try link(text)
    #expect(link?.datasetKey?.hex == Self.key && link?.version == 3)
    #expect(link?.uri == "magnet:?xs=urn:btpk:\(Self.key)&x.v=3")
  }

  @Test(arguments: [
    ("\(key)@0", MagnetError.Reason.notVersion), ("\(key)@", .notVersion),
    ("\(key)@-1", .notVersion), ("\(key)@3@4", .notVersion), ("\(key)@ 3", .notVersion),
    ("\(key)@9223372036854775808", .notVersion), ("urn:btpk:\(key)@x", .notVersion),
    ("magnet:?xs=urn:btpk:\(key)&x.v=0", .notVersion),
    ("magnet:?xs=urn:btpk:\(key)&x.v=1&x.v=2", .ambiguous),
    ("magnet:?xt=urn:btih:\(key.prefix(40))&x.v=1", .versionOfNothing),
    ("\(key.dropLast(2))@3", .bareDigits(62)),
  ])
  func notNumbersOfVersions(text: String, reason: MagnetError.Reason) {
    let error = #expect(throws: MagnetError.self) { _ = try link(text) }
    #expect(error?.reason == reason)
  }

  @Test(arguments: ["data@3", "a/b@1", "\(key)x@3", "./\(key)@3"])
  func pathsStayPaths(text: String) throws {
    #expect(try LinkArgument(parsing: text.utf8) == .path(Array(text.utf8)))
  }
}
