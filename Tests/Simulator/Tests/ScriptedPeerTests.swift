import Metainfo
import TestSupport
import Testing

@testable import Simulator

/// Scripted peers among themselves: the world, without the node that it is made for.
@Suite struct ScriptedPeerTests {
  private func scenario(_ kind: TorrentKind, seed: UInt64) throws -> Scenario {
    try Scenario(seed: seed) { random in
      try Dataset(
        kind: kind, sizes: [100_000, 0, 70_001, 1], pieceLength: 32_768, random: &random)
    }
  }

  /// Plays a download from one peer; what was downloaded, and when.
  private func download(
    _ kind: TorrentKind, from vice: Vice, seed: UInt64, time: Duration = .seconds(100)
  ) throws -> (isFinished: Bool, bytes: Int, hash: UInt64, failure: SimulationFailure?) {
    let scenario = try scenario(kind, seed: seed)
    defer { scenario.tearDown() }
    let server = scenario.addPeer(vice, on: scenario.addHost())
    let client = scenario.addPeer(
      .none, on: scenario.addHost(), hasContent: false, wantsContent: true)
    server.start()
    client.start()
    client.connect(to: server.endpoint)
    scenario.world.run(until: time, unless: { client.isFinished })
    return (
      client.isFinished, client.downloadedBytes, scenario.world.log.hash, scenario.world.failure
    )
  }

  @Test(arguments: TorrentKind.allCases)
  func honestPeersExchangeAll(kind: TorrentKind) throws {
    let result = try download(kind, from: .none, seed: 1)
    #expect(result.isFinished && result.failure == nil)
    #expect(result.bytes < 300_000)
  }

  @Test(arguments: Vice.hostile)
  func vicesArePlayed(vice: Vice) throws {
    let result = try download(.v2, from: vice, seed: 2)
    #expect(result.failure == nil || [.lateGarbage, .garbage].contains(vice))
    let serves: [Vice] = [
      .wrongLengths, .unaskedPieces, .requestFlood, .hashFlood, .forgesProofs, .wrongLayers,
      .metadataSize, .metadataBytes, .pexFlood, .duplicates, .flutters,
    ]
    if serves.contains(vice), vice != .wrongLengths {
      #expect(result.isFinished)
    }
    let keeps: [Vice] = [
      .chokesForever, .neverAnswers, .rejectsAll, .falseBitfield, .falseHaves, .cutHandshake,
      .keepAlives, .freeRider,
    ]
    if keeps.contains(vice) { #expect(!result.isFinished && result.bytes == 0) }
    if vice == .flipsBits { #expect(result.bytes > 171_000, "nothing came twice") }
  }

  @Test func theSameSeedIsTheSameRun() throws {
    let first = try download(.hybrid, from: .flipsBits, seed: 3)
    let second = try download(.hybrid, from: .flipsBits, seed: 3)
    let other = try download(.hybrid, from: .flipsBits, seed: 4)
    #expect(first.bytes == second.bytes)
    #expect(first.bytes != other.bytes || first.hash != other.hash)
  }
}
