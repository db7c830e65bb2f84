import Metainfo
import Store

/// A piece whose blocks cannot be judged one by one yet: its leaf hashes are not known, or it has
/// none. Holds what is here of it until there is a verdict.
final class PieceWork {
  /// Where a block's bytes are.
  enum Place {
    case missing
    /// In `Slot.buffer`, which `Content.receive` brought.
    case memory
    /// On their way to disk as a claim.
    case writing
    /// On disk as a claim.
    case disk
    /// On disk, verified.
    case here
    /// Nowhere: zeros that no file holds.
    case padding
  }

  struct Slot {
    var place = Place.missing
    /// In `memory` the bytes; else, while they are read back for a SHA-1, where they go.
    var buffer: BufferHandle?
    /// Who sent the block; nil when nobody did in this run.
    var sender: ConnectionID?
    /// SHA-256 of the bytes, once they were hashed.
    var digest: SHA256Digest?
    /// The same as they came from the sender, where they went to disk before there was a verdict. If
    /// other bytes come back, nobody is to blame for them.
    var sent: SHA256Digest?
    /// By which the claim is judged, once it was read.
    var examination: Examination?
  }

  /// How a piece is judged as a whole.
  enum Method {
    /// By the hash of the piece in its file's tree, from its blocks' hashes. BEP 52.
    case tree
    /// By its SHA-1. BEP 3.
    case sha1
  }

  /// A judgement under way.
  final class Judgement {
    let method: Method
    /// Blocks before this one were looked at.
    var next = 0
    /// Reads and jobs whose end is awaited.
    var outstanding = 0
    /// Blocks of the run that is next in the stream.
    var run: [Int] = []
    /// What was read back for it.
    var buffers: [BufferHandle] = []
    var stream: SHA1Stream?
    /// The piece's SHA-1, once it is known.
    var digest: SHA1Digest?
    /// A block could not be read back: no verdict comes.
    var isAbandoned = false
    /// The piece is wrong; hashes of its blocks are awaited, to find out later who lied.
    var isWrong = false

    init(method: Method) { self.method = method }
  }

  let piece: PieceIndex
  let blocks: BlockRange
  var slots: [Slot]
  /// How many slots are neither missing nor being written.
  var present = 0
  /// How many slots are in memory.
  var inMemory = 0
  /// Whether those count as waiting: not while they are judged, which takes no peer's help.
  var isWaiting = true
  /// Whether leaves are not to be waited for.
  var isWhole: Bool
  /// Its blocks' hashes are not the piece's: only leaves can tell which.
  var isKnownWrong = false
  var askedForHashes = false
  var judgement: Judgement?

  init(piece: PieceIndex, blocks: BlockRange, isWhole: Bool) {
    self.piece = piece
    self.blocks = blocks
    self.isWhole = isWhole
    slots = Array(repeating: Slot(), count: blocks.count)
  }

  var isComplete: Bool { present == slots.count }

  /// Whether nothing is held that still waits for a verdict.
  var isIdle: Bool {
    judgement == nil
      && !slots.contains { $0.place == .memory || $0.place == .writing || $0.place == .disk }
  }

  func position(of block: BlockIndex) -> Int { Int(block.rawValue - blocks.lowerBound) }

  /// Changes where a block is.
  func move(_ position: Int, to place: Place) {
    func counts(_ place: Place) -> Int { place == .missing || place == .writing ? 0 : 1 }
    present += counts(place) - counts(slots[position].place)
    inMemory += (place == .memory ? 1 : 0) - (slots[position].place == .memory ? 1 : 0)
    slots[position].place = place
    if place == .missing { slots[position] = Slot() }
  }
}

/// A block of a piece that was wrong as a whole: who sent what.
struct Suspect {
  let position: Int
  let digest: SHA256Digest
  let sender: ConnectionID
}

/// What a read under way is for.
enum ReadPurpose {
  /// A peer, who gave this tag.
  case peer(UInt64)
  /// To judge a claimed block by its leaf.
  case claim
  /// To judge a piece as a whole.
  case work(PieceWork)
  /// To answer a question about leaves.
  case answer(PieceHashing)
}

/// A block that was read back, to be hashed.
struct ReadBack {
  let block: BlockIndex
  let buffer: BufferHandle
  let examination: Examination?
  let purpose: ReadPurpose
}

/// Pieces whose claims are to be looked at, in runs.
struct ClaimQueue {
  private var ranges = Ring<Range<UInt32>>()
  private var current: Range<UInt32> = 0..<0
  private var last: Range<UInt32> = 0..<0
  /// The next block of the piece that is first in `current`.
  var position = 0

  /// Adds pieces; those just added are not added again.
  mutating func add(_ pieces: Range<UInt32>) {
    guard !pieces.isEmpty, pieces != last || (ranges.isEmpty && current.isEmpty) else { return }
    last = pieces
    ranges.append(pieces)
  }

  mutating func first() -> UInt32? {
    while current.isEmpty {
      guard let next = ranges.popFirst() else {
        last = 0..<0
        return nil
      }
      current = next
      position = 0
    }
    return current.lowerBound
  }

  mutating func removeFirst() {
    current = current.dropFirst()
    position = 0
  }
}
