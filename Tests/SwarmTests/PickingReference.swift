import Metainfo

@testable import Swarm

/// The slow, obvious picker: all states in dictionaries, everything found by looking at all of it.
/// It says which blocks a pick may return next; chance decides among them.
struct PickingReference {
  enum State: Equatable { case free, asked([UInt32]), received, here }

  let geometry: PieceGeometry
  var states: [BlockIndex: State] = [:]
  var whole: Set<PieceIndex> = []
  var priorities: [PieceIndex: PiecePicker.Priority] = [:]
  var peers: [UInt32: Set<PieceIndex>] = [:]
  var urgent: [BlockIndex: Duration] = [:]
  /// The piece that each peer works on.
  var works: [UInt32: PieceIndex] = [:]
  /// When the oldest requests of a piece began.
  var ages: [PieceIndex: Int] = [:]
  var clock = 0

  init(geometry: PieceGeometry) {
    self.geometry = geometry
    for piece in geometry.pieces {
      let blocks = blocks(of: piece)
      if blocks.isEmpty { whole.insert(piece) }
      for block in blocks { states[block] = .free }
    }
  }

  // MARK: Facts

  func blocks(of piece: PieceIndex) -> [BlockIndex] {
    geometry.blocks(of: piece).filter { geometry.dataLength(of: $0) > 0 }
  }

  func isWanted(_ piece: PieceIndex) -> Bool {
    !whole.contains(piece) && priorities[piece] != .skip
  }

  func isWanted(_ block: BlockIndex) -> Bool {
    guard let state = states[block] else { return false }
    let piece = geometry.piece(of: block)
    guard !whole.contains(piece), isWanted(piece) || urgent[block] != nil else { return false }
    if state == .free { return true }
    if case .asked = state { return true }
    return false
  }

  var missingWanted: Int { geometry.pieces.count { isWanted($0) } }

  func isInteresting(_ peer: UInt32) -> Bool {
    peers[peer, default: []].contains { piece in
      isWanted(piece)
        || (!whole.contains(piece)
          && blocks(of: piece).contains { urgent[$0] != nil && states[$0] != .here })
    }
  }

  func availability(_ piece: PieceIndex) -> Int { peers.values.count { $0.contains(piece) } }

  func requesters(_ block: BlockIndex) -> [UInt32] {
    if case .asked(let peers)? = states[block] { return peers }
    return []
  }

  func isFree(_ block: BlockIndex) -> Bool { states[block] == .free }

  func isNew(_ piece: PieceIndex) -> Bool { blocks(of: piece).allSatisfy(isFree) }

  func firstFree(_ piece: PieceIndex) -> BlockIndex? { blocks(of: piece).first(where: isFree) }

  // MARK: Changes

  mutating func settleWorks() {
    for (peer, piece) in works where !isWanted(piece) || firstFree(piece) == nil {
      works[peer] = nil
    }
  }

  mutating func set(_ block: BlockIndex, _ state: State) {
    guard states[block] != nil else { return }
    let piece = geometry.piece(of: block)
    if whole.contains(piece) {
      guard state == .free else { return }
      whole.remove(piece)
      for other in blocks(of: piece) { states[other] = .here }
    }
    states[block] = state
    forgetAge(piece)
    dropNew(piece)
    settleWorks()
  }

  mutating func have(_ piece: PieceIndex) {
    whole.insert(piece)
    for block in blocks(of: piece) { states[block] = .here }
    forgetAge(piece)
    settleWorks()
  }

  mutating func lost(_ piece: PieceIndex) {
    guard !blocks(of: piece).isEmpty else { return }
    whole.remove(piece)
    for block in blocks(of: piece) where requesters(block).isEmpty { states[block] = .free }
    for (peer, work) in works where work == piece { works[peer] = nil }
  }

  mutating func setPriority(_ priority: PiecePicker.Priority, _ piece: PieceIndex) {
    guard priorities[piece, default: .normal] != priority else { return }
    priorities[piece] = priority
    for (peer, work) in works where work == piece { works[peer] = nil }
  }

  mutating func ask(_ block: BlockIndex, of peer: UInt32) {
    let piece = geometry.piece(of: block)
    guard let state = states[block], !whole.contains(piece) else { return }
    switch state {
    case .free:
      if blocks(of: piece).allSatisfy({ requesters($0).isEmpty }) {
        clock += 1
        ages[piece] = clock
      }
      states[block] = .asked([peer])
    case .asked(let others):
      if others.count < 2, !others.contains(peer) { states[block] = .asked(others + [peer]) }
    case .received, .here: break
    }
    settleWorks()
  }

  mutating func abandon(_ block: BlockIndex, by peer: UInt32) {
    let others = requesters(block)
    guard others.contains(peer) else { return }
    let piece = geometry.piece(of: block)
    let left = others.filter { $0 != peer }
    if works[peer] == piece { works[peer] = nil }
    states[block] = left.isEmpty ? .free : .asked(left)
    forgetAge(piece)
    dropNew(piece)
  }

  private mutating func forgetAge(_ piece: PieceIndex) {
    if blocks(of: piece).allSatisfy({ requesters($0).isEmpty }) { ages[piece] = nil }
  }

  /// Nobody works on a piece of which nothing is there.
  private mutating func dropNew(_ piece: PieceIndex) {
    guard isNew(piece) else { return }
    for (peer, work) in works where work == piece { works[peer] = nil }
  }

  // MARK: Picking

  /// What a pick has done so far.
  struct Course {
    /// The piece whose blocks come now, and whether the peer works on it from now on.
    var current: (piece: PieceIndex, isOwn: Bool)?
  }

  /// The blocks that may come next, and the piece that the peer would go on with.
  func next(
    _ peer: UInt32, _ options: PiecePicker.PickOptions, rarity: @escaping (PieceIndex) -> Int,
    seeds: Int,
    _ course: Course
  ) -> (blocks: Set<BlockIndex>, isOwn: Bool, isBlockwise: Bool) {
    let has = peers[peer, default: []]
    let isAllowed = { (piece: PieceIndex) in
      has.contains(piece) && options.allowedOnly?.contains(piece) ?? true
    }
    // Urgent ones.
    let reads = urgent.filter {
      isAllowed(geometry.piece(of: $0.key)) && !whole.contains(geometry.piece(of: $0.key))
    }.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    if course.current == nil {
      if let read = reads.first(where: { isFree($0.key) }) { return ([read.key], false, true) }
    }
    if let current = course.current, let block = firstFree(current.piece) {
      return ([block], current.isOwn, false)
    }
    if let allowed = options.allowedOnly {
      let piece = allowed.first { isAllowed($0) && isWanted($0) && firstFree($0) != nil }
      return (piece.map { [firstFree($0)!] } ?? [], false, false)
    }
    var passes = options.avoidsCommon || options.refusesCommon ? [true] : []
    if !options.refusesCommon { passes.append(false) }
    for onlyRarest in passes {
      let open = geometry.pieces.filter {
        isAllowed($0) && isWanted($0) && firstFree($0) != nil && (!onlyRarest || rarity($0) == 0)
      }
      if let own = works[peer], open.contains(own) { return ([firstFree(own)!], true, false) }
      for priority in [PiecePicker.Priority.high, .normal] {
        let these = open.filter { priorities[$0, default: .normal] == priority }
        let taken = Set(works.values)
        let partial = these.filter { !isNew($0) && !taken.contains($0) }
        let new = these.filter { isNew($0) }
        let joined = these.filter { taken.contains($0) }
        let rarest = { (pieces: [PieceIndex]) in
          pieces.filter { piece in pieces.allSatisfy { rarity(piece) <= rarity($0) } }
        }
        let free = { (piece: PieceIndex) in blocks(of: piece).count(where: isFree) }
        let least = joined.filter { piece in joined.allSatisfy { free(piece) <= free($0) } }
        let chosen = whole.count < 4 ? new : rarest(new)
        for (pieces, isOwn) in options.isFast
          ? [(rarest(partial), true), (chosen, true), (least, false)]
          : [(rarest(partial), true), (least, false), (chosen, true)] where !pieces.isEmpty
        {
          return (Set(pieces.map { firstFree($0)! }), isOwn, false)
        }
      }
    }
    guard !options.late.isEmpty, !options.refusesCommon else { return ([], false, true) }
    let isAllAsked = geometry.pieces.allSatisfy {
      !isWanted($0) || firstFree($0) == nil || rarity($0) + seeds == 0
    }
    guard isAllAsked else { return ([], false, true) }
    let asked = geometry.pieces.filter { isAllowed($0) && isWanted($0) }
      .flatMap { blocks(of: $0) }
      .filter {
        let asked = requesters($0)
        return asked.count == 1 && asked != [peer] && options.late.contains(asked[0])
      }
    let oldest = asked.min {
      (ages[geometry.piece(of: $0)]!, $0) < (ages[geometry.piece(of: $1)]!, $1)
    }
    return (oldest.map { [$0] } ?? [], false, true)
  }
}
