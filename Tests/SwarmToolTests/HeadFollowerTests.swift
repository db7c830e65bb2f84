import Metainfo
import Swarm
import SwarmNode
import Testing

@testable import SwarmTool

/// What heads mean to a session. Each version's subject is known by its number.
@Suite struct HeadFollowerTests {
  /// What the dataset was asked for, and what it answers.
  private final class Asked {
    var numbers: [Int64] = []
    var failing: Set<Int64> = []
    var joined: Int64?
    var published: Head?
  }

  private let asked = Asked()
  private let secret: DatasetSecret

  init() throws {
    secret = try #require(DatasetSecret(seed: [UInt8](repeating: 1, count: 32)))
  }

  private func head(_ number: Int64) throws -> Head {
    try Head(
      version: number, infohash: SHA256Digest(hashing: Array("\(number)".utf8)), signedBy: secret)
  }

  private func follower(_ number: Int64? = nil, isOurs: Bool = false) throws -> HeadFollower {
    asked.joined = number
    return HeadFollower(
      Member.Dataset(
        key: secret.key, head: try number.map(head), isOurs: isOurs,
        version: { [asked] head in
          asked.numbers.append(head.version)
          if asked.failing.contains(head.version) {
            throw Failure("version \(head.version) is held")
          }
          if head.version == asked.joined { return nil }
          asked.joined = head.version
          return Member.Subject(
            request: { TorrentRequest(meeting: head.key) },
            folders: { _, _ in TorrentFolders(content: [], maps: []) }, content: { nil },
            version: { UInt64(head.version) })
        }, watch: { [asked] in asked.published }))
  }

  private func text(_ outcome: HeadFollower.Outcome) -> String {
    switch outcome {
    case .nothing: "nothing"
    case .begin(let subject): "begin \(subject.version() ?? 0)"
    case .failed(let reason): "failed: \(reason)"
    }
  }

  @Test func newerHeadsAreFollowedAndOlderNever() throws {
    var follower = try follower(3)
    var said: [String] = []
    for number in [2, 3, 5, 4, 5, 1, 6] as [Int64] {
      said.append(text(follower.take(try head(number))))
    }
    #expect(
      said == ["nothing", "nothing", "begin 5", "nothing", "nothing", "nothing", "begin 6"])
    // Of older ones the dataset does not even hear.
    #expect(asked.numbers == [3, 5, 5, 6])
    #expect(follower.head?.version == 6)
  }

  @Test func theFirstHeadIsFollowedWhateverItsNumber() throws {
    var follower = try follower()
    #expect(follower.head == nil)
    #expect(text(follower.take(try head(7))) == "begin 7")
  }

  @Test func whatIsHeldIsTriedAgainUntilItIsFree() throws {
    var follower = try follower(1)
    #expect(text(follower.retry()) == "nothing")
    asked.failing = [2]
    #expect(text(follower.take(try head(2))) == "failed: version 2 is held")
    #expect(text(follower.retry()) == "failed: version 2 is held")
    #expect(follower.head?.version == 2 && follower.pending?.version == 2)
    asked.failing = []
    #expect(text(follower.retry()) == "begin 2")
    #expect(follower.pending == nil)
    #expect(text(follower.retry()) == "nothing")
  }

  @Test func aNewerOneTakesThePlaceOfOneThatIsHeld() throws {
    var follower = try follower(1)
    asked.failing = [2]
    _ = follower.take(try head(2))
    #expect(text(follower.take(try head(3))) == "begin 3")
    #expect(text(follower.retry()) == "nothing")
    #expect(asked.numbers == [2, 3])
  }

  @Test func whatAnotherProcessPublishesIsSeenOnceItIsNewer() throws {
    let seeding = try follower(2, isOurs: true)
    #expect(seeding.published() == nil)
    asked.published = try head(2)
    #expect(seeding.published() == nil)
    asked.published = try head(3)
    #expect(seeding.published()?.version == 3)
    // Who follows others' datasets does not look.
    #expect(try follower(2).published() == nil)
  }
}
