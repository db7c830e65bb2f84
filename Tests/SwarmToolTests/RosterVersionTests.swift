import Metainfo
import Swarm
import SwarmNode
import Testing

@testable import SwarmTool

/// Old versions that a daemon opens for who reads them over HTTP.
@Suite struct RosterVersionTests {
  /// A daemon's roster with a dataset of two versions, of which it has the descriptions, and without a network.
  private final class World {
    private let scratch = ScratchFolder()
    private let loop = EventLoop()
    private let node: Node
    private var timer: EventTimer?
    let roster: Roster
    let id: String

    init() throws {
      let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 6, count: 32)))
      let state = try StateFolder(scratch("state"))
      try keepVersions([1, 2], of: secret, in: state, wereFollowed: true)
      let options = try NodeOptions.parse([
        "--listen", "127.0.0.1:0", "--no-dht", "--no-lan", "--no-mapping", "--state",
        String(decoding: state.path, as: UTF8.self),
      ])
      let log = LogLines().log(isVerbose: false)
      node = try options.node(on: loop, log: log)
      roster = try Roster(
        on: loop, node: node, network: options.network, state: state, sockets: scratch.path,
        lines: DaemonLines(isJSON: true), log: log, tell: { _, _, _ in })
      id = secret.key.hex
      roster.insert(AddRequest(link: .link(MagnetLink(datasetKey: secret.key)))) { _ in }
    }

    /// Does one after the other, each again until it says that it is done, and ends the roster.
    func play(_ steps: [(name: String, isDone: () -> Bool)]) {
      var (left, turns) = (steps[...], 0)
      timer = EventTimer(on: loop, everyMilliseconds: 10) { [unowned self] in
        while let step = left.first, step.isDone() { left = left.dropFirst() }
        turns += 1
        guard left.isEmpty || turns > 2_000 else { return }
        timer?.cancel()
        timer = nil
        roster.end()
        node.stop {}
      }
      loop.run()
      #expect(left.isEmpty, "never: \(left.first?.name ?? "")")
    }

    var member: Member? { roster.entries.first?.member }
    /// Version 1, where it is open.
    var old: Member.Shared? { member?.besides.first { $0.version == 1 } }

    /// What comes of an attempt to read version 1.
    func open() -> Result<ReadableFile, ControlFailure>? {
      var result: Result<ReadableFile, ControlFailure>?
      roster.open(0, of: id, version: 1) { result = $0 }
      return result
    }

    /// So much later that nobody would come back.
    func closeIdle() {
      guard let member, let index = member.besides.firstIndex(where: { $0.version == 1 }) else {
        return
      }
      #expect(member.besides[index].idleSince != nil)
      member.besides[index].idleSince = .now - .seconds(1_000)
      member.closeIdle()
    }
  }

  @Test func anOldVersionStaysOpenAsLongAsItIsRead() throws {
    let world = try World()
    var readable: ReadableFile?
    world.play([
      ("the newest is taken part in", { world.member?.info?.version?.number == 2 }),
      (
        "version 1 is opened",
        {
          readable = try? world.open()?.get()
          return readable != nil
        }
      ),
      (
        "it is closed",
        {
          world.closeIdle()
          #expect(world.old?.isClosing == false, "it is read")
          readable = nil
          world.closeIdle()
          #expect(world.old?.isClosing == true, "nobody reads it")
          // What is being closed is given to nobody; who asks gets it when it is open again.
          if world.roster.opened(1, of: world.roster.entries[0]) != nil {
            Issue.record("it is being closed")
          }
          if case .success? = world.open() { Issue.record("it is being closed") }
          #expect(world.member?.opening == [1])
          return true
        }
      ),
      (
        "it is opened again",
        { world.old?.isClosing == false && world.member?.opening.isEmpty == true }
      ),
    ])
  }
}
