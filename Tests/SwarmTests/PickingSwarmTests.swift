import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// One seed, several leeches, each with a picker: how much the seed must send.
@Suite struct PickingSwarmTests {
  struct Leech {
    var picker: PiecePicker
    var pieces: PieceSet
    /// Blocks asked of each node, in order.
    var queues: [[BlockIndex]]
  }

  /// Rounds in which every node sends `upload` blocks in turn to those that ask, until all leeches have
  /// everything. How many blocks each node sent.
  static func run(
    leeches count: Int, pieces: Int, blocks: Int, upload: Int, isFast: Bool, avoidsCommon: Bool,
    seed: UInt64
  ) throws -> [Int] {
    var rng = SplitMix64(seed: seed)
    let geometry = try PieceGeometry(
      v2Lengths: [UInt64(pieces * blocks) * 16_384], pieceLength: UInt64(blocks) * 16_384)
    let all = PieceSet.full(pieceCount: pieces)
    let none = PieceSet(pieceCount: pieces)
    var leeches = (0..<count).map { _ in
      var leech = Leech(
        picker: PiecePicker(geometry: geometry), pieces: none,
        queues: [[BlockIndex]](repeating: [], count: count + 1))
      leech.picker.add(all)
      return leech
    }
    var sent = [Int](repeating: 0, count: count + 1)
    for round in 0..<pieces * blocks * count {
      if leeches.allSatisfy({ $0.picker.isFinished }) { return sent }
      for me in leeches.indices {
        // The seed is node `count`. Whoever is asked first differs.
        for step in 0...count {
          let node = (step + me + round) % (count + 1)
          guard node != me else { continue }
          var options = PiecePicker.PickOptions()
          options.avoidsCommon = avoidsCommon && node == count
          options.isFast = isFast
          options.late = Array(0...UInt32(count))
          let has = node == count ? all : leeches[node].pieces
          var queue = leeches[me].queues[node]
          leeches[me].picker.pick(
            2 * upload - queue.count, from: has, for: UInt32(node), options: options, using: &rng,
            into: &queue)
          leeches[me].queues[node] = queue
        }
      }
      for node in 0...count {
        var left = upload
        var turn = round
        while left > 0,
          let me = (0..<count).map({ ($0 + turn) % count }).first(where: {
            !leeches[$0].queues[node].isEmpty
          })
        {
          turn = me + 1
          left -= 1
          sent[node] += 1
          receive(leeches[me].queues[node].removeFirst(), by: me, &leeches, geometry)
        }
      }
    }
    Issue.record("not done, seed \(seed)")
    return sent
  }

  static func receive(
    _ block: BlockIndex, by me: Int, _ leeches: inout [Leech], _ geometry: PieceGeometry
  ) {
    for other in leeches[me].picker.requesters(of: block) {
      leeches[me].queues[Int(other)].removeAll { $0 == block }
    }
    leeches[me].picker.received(block)
    leeches[me].picker.verified(block)
    let piece = geometry.piece(of: block)
    guard geometry.blocks(of: piece).allSatisfy({ leeches[me].picker.state(of: $0) == .here })
    else { return }
    leeches[me].picker.have(piece)
    leeches[me].pieces.insert(piece)
    for other in leeches.indices where other != me { leeches[other].picker.add(piece) }
  }

  @Test(arguments: 0..<4) func seedSendsLittle(seed: Int) throws {
    for isFast in [false, true] {
      let sent = try Self.run(
        leeches: 5, pieces: 128, blocks: 4, upload: 8, isFast: isFast, avoidsCommon: true,
        seed: UInt64(seed))
      let content = 128 * 4
      #expect(sent[5] < content * 3 / 2, "seed \(seed): \(sent)")
      let all: Int = sent.reduce(0, +)
      #expect(all == 5 * content, "seed \(seed): \(sent)")
    }
  }
}
