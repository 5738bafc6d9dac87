"""MEI to raw parts, straight from the XML: every note that sounds, with the editor's choice where there are several.

Notes, lengths, pitches and bars are those of the MEI Guidelines. verovio (6.4.1) reads the same, and tests hold the
two together; it is not the reader because it leaves out what it cannot draw or play: bars under mRpt2, multiRpt and
halfmRpt, `dot` elements, `graceGrp`, default octaves, copies of notes, and the key signature where a file has no
``accid.ges``. music21 10.5 passes over endings, tremolos, repeat signs of bars and beats, ``oct.ges`` and readings.

Also here: the measures of an MEI score from the first to the last, and the parts that come of them.

References
----------
MEI Guidelines 5.1, Music Encoding Initiative, 2025, https://music-encoding.org/guidelines/v5/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from scoresep.errors import ScoreFileError
from scoresep.files.scores.jump_words import ending_numbers
from scoresep.files.scores.mei_layer import LayerPlace, LayerReader, MeasureNotes, NoteToken, ReadNote, moved
from scoresep.files.scores.mei_staves import (
    SECTION_ENDS,
    OctaveLine,
    StatedOrder,
    Staves,
    is_bare_coda,
    marks_of,
    octave_line,
    offset_of_beat,
    repeat_signs,
    tempo_of,
    tied_ids,
    tuplet_ratios,
)
from scoresep.files.scores.mei_tree import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    Selection,
    count,
    fill_copies,
    number,
    reference,
    text_of,
    with_plain_names,
)
from scoresep.files.scores.raw import PassedOver, RawMeasure, RawPart, RawScore, RawTempo
from scoresep.files.scores.sign_placing import place_coda_signs
from scoresep.model.score import Mark
from scoresep.progress import Progress

_EPS = 1e-6
_AT_START = (Mark.SEGNO, Mark.CODA)
_MAX_RESTED_BARS = 1000
_SECTIONS = frozenset({"section", "part", "score", "parts", "div"})
_WORDS = frozenset({"dir", "repeatMark", "tempo", "reh", "anchoredText", "fing"})


@dataclass
class _Frame:
    """What a measure has that is the same for all parts."""

    number: str
    is_implicit: bool = False
    ends_section: bool = False
    starts_repeat: bool = False
    repeat_passes: int = 0
    endings: tuple[int, ...] = ()
    marks: list[Mark] = field(default_factory=list)
    tempi: list[tuple[float, float]] = field(default_factory=list)


class MeasuresReader:
    """Reads all measures of a ``score`` or ``part``.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    progress : Progress
    tokens : mapping of NoteToken
        See `LayerReader`.
    is_notated : bool
        Whether, in a document that never says what is played (``accid.ges``), the key signature counts, and an
        accidental for the rest of its measure. Otherwise every note has the accidental it bears and no other.
    """

    def __init__(self, name: str, progress: Progress, tokens: Mapping[str, NoteToken], is_notated: bool = True) -> None:
        self._name = name
        self._progress = progress
        self._tokens = tokens
        self._is_notated = is_notated
        self._selection = Selection()
        self._staves = Staves()
        self._frames: list[_Frame] = []
        self._notes: list[dict[str, MeasureNotes]] = []  # of every measure, by staff
        self._indices: dict[int, list[int]] = {}  # by the identity of the element ...
        self._elements: list[Element] = []  # ... which is kept, so that no other takes it over
        self._octaves: list[OctaveLine] = []
        self._pending_repeats: dict[str, tuple[int, int]] = {}  # by staff: how many bars, up to which measure
        self._last_alterations: dict[tuple[str, str, int], float] = {}
        self._coda_signs: list[int] = []
        self._next_marks: list[Mark] = []
        self._next_starts_repeat = False
        self._next_tempo: float | None = None
        self._redundant_signs = self._implied_signs = 0

    @property
    def writes_all_accidentals(self) -> bool:
        """Whether the notes bear accidentals that notation would not need, more often than they go without."""
        return self._is_notated and self._redundant_signs > self._implied_signs

    def measure_indices(self, measure: Element) -> Sequence[int]:
        """Return the indices of the measures that an element became."""
        return self._indices.get(id(measure), ())

    def part_of_staves(self, parts: Sequence[RawPart]) -> dict[str, int]:
        """Return the index of the part of every staff that was read, by the number of the staff."""
        indices = {id(part): i for i, part in enumerate(parts)}
        staves = dict.fromkeys(staff for here in self._notes for staff in here)
        return {staff: indices[id(self._staves.place(staff).part)] for staff in staves}

    def first_measures(self) -> list[int]:
        """Return the index of the first measure that every ``measure`` element became, in their order."""
        return [indices[0] for indices in self._indices.values()]

    def read(self, music: Element) -> list[RawPart]:
        """Read everything; return the parts in the order of the score."""
        is_stated = any("accid.ges" in e.attrib or "pnum" in e.attrib for e in music.iter())
        self._is_notated &= not is_stated and not self._tokens
        self._count = max(sum(1 for _ in music.iter("measure")), 1)
        self._layers = LayerReader(self._selection, tied_ids(music), tuplet_ratios(music), self._tokens, self._name)
        self._walk(music, ())
        place_coda_signs([f.marks for f in self._frames], self._coda_signs)
        return self._parts()

    # ------------------------------------------------------------------------------------------------ sections

    def _walk(self, element: Element, endings: tuple[int, ...]) -> None:
        unmeasured: list[Element] = []
        run = 0  # how many endings stand side by side
        for child in self._selection.children(element):
            tag = child.tag
            if tag == "staff":  # music without bar lines
                unmeasured.append(child)
                continue
            if unmeasured:
                self._read_unmeasured(unmeasured, endings)
                unmeasured = []
            run = run + 1 if tag == "ending" else run if tag in ("sb", "pb") else 0
            if tag == "measure":
                self._read_measure(child, list(self._selection.children(child)), endings)
            elif tag == "ending":
                numbers = ending_numbers(child.get("n", "")) or ending_numbers(child.get("label", "")) or (run,)
                self._walk(child, numbers)
            elif tag in _SECTIONS:
                self._walk(child, endings)
            elif tag in ("scoreDef", "staffDef"):
                self._staves.define(child)
                self._next_tempo = tempo_of(child) or self._next_tempo
        if unmeasured:
            self._read_unmeasured(unmeasured, endings)

    def _read_unmeasured(self, staves: list[Element], endings: tuple[int, ...]) -> None:
        measure = Element("measure")
        self._read_measure(measure, staves, endings)

    # ------------------------------------------------------------------------------------------------ measures

    def _read_measure(self, element: Element, children: list[Element], endings: tuple[int, ...]) -> None:
        index = len(self._frames)
        self._progress.update(index / self._count)
        frame = _Frame(element.get("n") or str(index + 1), element.get("metcon") == "false", endings=endings)
        frame.marks += self._next_marks
        frame.starts_repeat, self._next_starts_repeat, self._next_marks = self._next_starts_repeat, False, []
        if self._next_tempo:
            frame.tempi.append((0.0, self._next_tempo))
            self._next_tempo = None
        self._frames.append(frame)
        self._notes.append({})
        self._layers.offsets.clear()
        for child in children:
            if child.tag == "staff":
                self._read_staff(child, index)
        self._repeat_bars(index)
        self._read_bar_lines(index, element)
        self._read_controls(index, children)
        self._settle_pitches(index)
        self._elements.append(element)
        self._indices[id(element)] = [index, *self._rested_bars(index)]
        if frame.repeat_passes and len(self._frames) > index + 1:  # the sign stands at the end of the rest
            self._frames[-1].repeat_passes, frame.repeat_passes = frame.repeat_passes, 0

    def _read_staff(self, element: Element, index: int) -> None:
        staff = element.get("n") or "1"
        place, state = self._staves.place(staff), self._staves.state(staff)
        into = self._notes[index].setdefault(staff, MeasureNotes(state.metre))
        layers = [c for c in self._selection.children(element) if c.tag in ("layer", "staffDef", "clef")]
        for i, layer in enumerate(layers):
            if layer.tag != "layer":
                self._staves.define(layer) if layer.tag == "staffDef" else state.take_clef(layer.get("shape"))
                continue
            number_ = layer.get("n") or str(i + 1)
            where = LayerPlace(
                index, staff, number_, count(number_, i + 1, 999), place.number, place.part.instrument.is_percussion
            )
            self._layers.read(layer, where, state, into)
        told = [*self._layers.passed_over, *self._selection.left_out]
        place.part.passed_over += [PassedOver(index, what) for what in dict.fromkeys(told)]
        self._layers.passed_over, self._selection.left_out = [], []

    def _repeat_bars(self, index: int) -> None:
        """Fill the bars that only hold a sign to repeat the bars before, or that such a sign reaches into."""
        here = self._notes[index]
        for staff, (bars, last) in list(self._pending_repeats.items()):
            into = here.setdefault(staff, MeasureNotes(self._staves.state(staff).metre))
            has_room = into.is_empty
            if has_room:
                self._copy_bar(staff, index, index - bars, None)
            else:
                what = "a sign repeats several bars, but has room for fewer"
                self._staves.place(staff).part.passed_over.append(PassedOver(index, what))
            if index >= last or not has_room:
                self._pending_repeats.pop(staff)
        for staff, into in here.items():
            layers = {read.layer for read in into.notes} | {layer for layer, _ in into.repeats}
            for layer, bars in into.repeats:
                self._copy_bar(staff, index, index - bars, layer if len(layers) > 1 else None)
                if bars > 1:
                    self._pending_repeats[staff] = (bars, index + bars - 1)

    def _copy_bar(self, staff: str, index: int, source_index: int, layer: str | None) -> None:
        source = self._notes[source_index].get(staff) if source_index >= 0 else None
        into = self._notes[index][staff]
        if source is None:
            self._staves.place(staff).part.passed_over.append(PassedOver(index, "there is no bar to repeat before it"))
            return
        stretch = (0.0, source.content_quarter)
        into.notes += [moved(r, 0.0, index, stretch) for r in source.notes if layer is None or r.layer == layer]
        into.content_quarter = max(into.content_quarter, source.content_quarter)
        into.is_empty = False

    def _rested_bars(self, index: int) -> list[int]:
        """Add the further bars of a rest of several bars that stands in one measure; return their indices."""
        here = self._notes[index]
        bars = min((n.rested_bars for n in here.values()), default=0)
        frame = self._frames[index]
        added = []
        for i in range(1, min(bars, _MAX_RESTED_BARS)):
            printed = str(int(frame.number) + i) if frame.number.isdecimal() else frame.number
            added.append(len(self._frames))
            self._frames.append(_Frame(printed, endings=frame.endings))
            self._notes.append({staff: MeasureNotes(n.metre, rests_throughout=True) for staff, n in here.items()})
        return added

    # --------------------------------------------------------------------------------------------------- signs

    def _read_bar_lines(self, index: int, element: Element) -> None:
        frame = self._frames[index]
        content = max((n.content_quarter for n in self._notes[index].values()), default=0.0)
        lines = [(-1.0, element.get("left", "")), (content, element.get("right", ""))]
        for at, form in lines + self._layers.bar_lines:
            closes, opens = repeat_signs(form)
            if _EPS < at < content - _EPS:
                if (closes or opens) and self._staves.parts:
                    what = "a repeat sign inside the bar is not played"
                    self._staves.parts[0].passed_over.append(PassedOver(index, what))
                continue
            is_left = at < content - _EPS or at < 0
            if closes:
                self._frames[index - 1 if is_left and index else index].repeat_passes = 2
            if opens and is_left:
                frame.starts_repeat = True
            self._next_starts_repeat |= opens and not is_left
            if not is_left and form in SECTION_ENDS:
                frame.ends_section = True
        self._layers.bar_lines = []

    def _read_controls(self, index: int, children: list[Element]) -> None:
        content = max((n.content_quarter for n in self._notes[index].values()), default=0.0)
        for child in children:
            if child.tag == "octave":
                offset, staff = self._place_of(child)
                line = octave_line(child, offset, staff, index)
                if line is not None:
                    self._octaves.append(line)
            elif child.tag in _WORDS:
                offset, _ = self._place_of(child)
                tempo = tempo_of(child) if child.tag == "tempo" else None
                if tempo:
                    self._frames[index].tempi.append((offset, tempo))
                self._read_marks(index, child, offset, content)
        left_out, self._selection.left_out = self._selection.left_out, []
        if left_out and self._staves.parts:
            self._staves.parts[0].passed_over += [PassedOver(index, what) for what in dict.fromkeys(left_out)]

    def _read_marks(self, index: int, element: Element, offset: float, content: float) -> None:
        for mark in marks_of(element):
            if mark == Mark.CODA and is_bare_coda(element):
                self._coda_signs.append(index + int(offset > 0 and offset >= content))
            elif mark in _AT_START and 0 < content < 2 * offset:
                self._next_marks.append(mark)
            else:
                self._frames[index].marks.append(mark)

    def _place_of(self, element: Element) -> tuple[float, str]:
        """Offset in quarters, and the staff, of a sign beside the notes."""
        offset, staff = self._layers.offsets.get(reference(element.get("startid")), (None, ""))
        staff = (element.get("staff") or staff or "1").split()[0]
        if offset is None:
            metre = self._staves.state(staff).metre if self._staves.is_known(staff) else None
            offset = max(offset_of_beat(number(element.get("tstamp"), 1.0), metre), 0.0)
        return offset, staff

    # ------------------------------------------------------------------------------------------------- pitches

    def _settle_pitches(self, index: int) -> None:
        """Give every note of a measure its accidental and the octave it sounds in."""
        reads = [r for notes in self._notes[index].values() for r in notes.notes]
        if self._is_notated:
            self._apply_notation([r for r in reads if r.spelling is not None])
        for read in reads:
            if read.spelling is not None:
                read.note.pitch_midi += read.alteration or 0.0
                read.spelling = None
        self._apply_octave_lines(index, reads)
        for read in reads:
            read.is_octave_stated = True
        for notes in self._notes[index].values():
            notes.notes = [r for r in notes.notes if not _is_inaudible(r.note.pitch_midi)]

    def _apply_notation(self, reads: list[ReadNote]) -> None:
        """Let key signatures count, and accidentals until the end of the measure (and over it along ties)."""
        in_measure: dict[tuple[str, str, int], float] = {}
        for read in sorted(reads, key=lambda r: r.note.offset_quarter):
            assert read.spelling is not None
            key = (read.sounding_staff, *read.spelling)
            implied = in_measure.get(key, read.key_alteration)
            if read.note.tied_from_previous and read.alteration is None and key not in in_measure:
                read.alteration = self._last_alterations.get(key, implied)
                continue
            if implied and read.alteration is None:
                self._implied_signs += 1
            self._redundant_signs += implied != 0 and read.alteration == implied
            if read.alteration is None:
                read.alteration = implied
            else:
                in_measure[key] = read.alteration
            self._last_alterations[key] = read.alteration

    def _apply_octave_lines(self, index: int, reads: list[ReadNote]) -> None:
        for line in list(self._octaves):
            end = self._layers.offsets.get(line.end_id, (None, ""))[0] if line.end_id else None
            is_over = end is not None
            if not line.end_id and index >= line.end_measure:
                end, is_over = offset_of_beat(line.end_beat, self._staves.state(line.staff).metre), True
            for read in reads:
                offset = read.note.offset_quarter
                is_under = line.start_quarter - _EPS <= offset and (end is None or offset <= end + _EPS)
                is_meant = read.sounding_staff == line.staff and (not line.layers or read.layer in line.layers)
                if is_under and is_meant and not read.is_octave_stated:
                    read.note.pitch_midi += line.semitones
            line.start_quarter = 0.0
            if is_over:
                self._octaves.remove(line)

    # --------------------------------------------------------------------------------------------------- parts

    def _parts(self) -> list[RawPart]:
        staves_of: dict[int, list[str]] = defaultdict(list)
        for staff in dict.fromkeys(staff for here in self._notes for staff in here):
            staves_of[id(self._staves.place(staff).part)].append(staff)
        parts = [p for p in self._staves.parts if staves_of[id(p)]]
        for i, part in enumerate(parts):
            for index, frame in enumerate(self._frames):
                here = self._notes[index]
                own = [here[staff] for staff in staves_of[id(part)] if staff in here]
                part.measures.append(_measure(frame, own))
                part.notes += [read.note for notes in own for read in notes.notes]
                if i == 0:
                    part.tempi += [RawTempo(index, offset, tempo) for offset, tempo in frame.tempi]
        return parts


def _measure(frame: _Frame, staves: list[MeasureNotes]) -> RawMeasure:
    return RawMeasure(
        frame.number,
        next((n.metre for n in staves if n.metre is not None), None),
        max((n.content_quarter for n in staves), default=0.0),
        sum(len(n.notes) for n in staves),
        bool(staves) and all(n.rests_throughout or n.is_empty for n in staves),
        frame.is_implicit,
        frame.ends_section,
        frame.starts_repeat,
        frame.repeat_passes,
        frame.endings,
        list(frame.marks),
    )


def _is_inaudible(pitch: float) -> bool:
    return pitch < LOWEST_PITCH or pitch > HIGHEST_PITCH


_OLD_NOTATIONS = ("mensural", "neume")


def read_mei(root: Element, name: str, progress: Progress, tokens: Mapping[str, NoteToken] | None = None) -> RawScore:
    """Read an MEI document, of any version from 2013 on.

    Parameters
    ----------
    root : Element
        ``mei`` or ``meiCorpus``, in any namespace; is changed.
    name : str
        Of the file, for messages.
    progress : Progress
    tokens : mapping of NoteToken, optional
        What the source of a converted document says of its notes, by their ids.

    Raises
    ------
    ScoreFileError
        If the document holds no music in modern notation.
    """
    progress.update(0.0, "Reading the score")
    try:
        return _read(root, name, progress, tokens or {})
    except RecursionError as error:
        raise ScoreFileError(f"'{name}' nests its music without end: the file is damaged; export it again.") from error


def _read(root: Element, name: str, progress: Progress, tokens: Mapping[str, NoteToken]) -> RawScore:
    with_plain_names(root)
    fill_copies(root, name)
    raw = RawScore()
    document = _document(root, raw.warnings)
    _describe(raw, document)
    music = _piece(document, name, raw.warnings)
    _refuse_old_notation(music, name)
    for piece in _separate_parts(music) or [music]:
        reader = MeasuresReader(name, progress, tokens)
        parts = reader.read(piece)
        if reader.writes_all_accidentals:
            reader = MeasuresReader(name, progress, tokens, is_notated=False)
            parts = reader.read(piece)
        raw.parts += _named_apart(parts, raw.parts, piece)
        if not raw.stated_order:
            order = StatedOrder(piece, reader.measure_indices)
            raw.stated_order = order.of(piece)
            raw.warnings += order.warnings
    return raw


@dataclass(frozen=True)
class MeiLayout:
    """Where the staves and measures of an MEI document lie in its score.

    Attributes
    ----------
    part_of_staff : dict of int
        Index of the part by the number (``n``) of the staff.
    first_measures : list of int
        Index of the (first) measure that every ``measure`` became.
    """

    part_of_staff: dict[str, int]
    first_measures: list[int]


def read_layout(root: Element, name: str) -> MeiLayout:
    """Read only how an MEI document is laid out; `read_mei` says what it raises and does to the document."""
    with_plain_names(root)
    fill_copies(root, name)
    reader = MeasuresReader(name, Progress(), {})
    parts = reader.read(_piece(_document(root, []), name, []))
    return MeiLayout(reader.part_of_staves(parts), reader.first_measures())


def _document(root: Element, warnings: list[str]) -> Element:
    """Choose the document: of a corpus the first one with notes."""
    documents = [d for d in root.iter("mei") if d.find("music") is not None and d.find("music//note") is not None]
    if len(documents) > 1:
        warnings.append(f"The file holds {len(documents)} pieces; the first one is read.")
    return documents[0] if documents else root


def _piece(document: Element, name: str, warnings: list[str]) -> Element:
    """Choose the ``score`` (or ``parts``) that is read: that of the first division with notes."""
    music = document.find("music")
    if music is None:  # the head of a document may hold the beginnings of pieces, but that is no score
        music = Element("music")
    found = [e for mdiv in music.iter("mdiv") for e in _first_of(mdiv)] or list(music.iter("score"))[:1]
    pieces = [p for p in found if next(p.iter("note"), None) is not None] or found[:1]
    if not pieces:
        raise ScoreFileError(f"'{name}' describes a piece but holds no score; choose a file with notes.")
    if len(pieces) > 1:
        warnings.append(
            f"The file holds {len(pieces)} movements; the first one is read. Save the others as files of their own."
        )
    return pieces[0]


def _first_of(mdiv: Element) -> list[Element]:
    score = mdiv.find("score")
    parts = mdiv.find("parts")
    return [e for e in (score, parts) if e is not None][:1]


def _separate_parts(music: Element) -> list[Element]:
    """Return the parts of a division that has no score but the parts one by one."""
    return music.findall("part") if music.tag == "parts" else []


def _named_apart(parts: list[RawPart], before: list[RawPart], piece: Element) -> list[RawPart]:
    """Name parts that stand alone by their ``part`` element, and number the nameless ones on."""
    label = " ".join(piece.get("label", "").split()) if piece.tag == "part" else ""
    for i, part in enumerate(parts):
        if part.name.startswith("Part ") and piece.tag == "part":
            part.name = label or f"Part {len(before) + i + 1}"
    return parts


def _refuse_old_notation(music: Element, name: str) -> None:
    kinds = [d.get("notationtype", "") for d in music.iter("staffDef")]
    is_old = bool(kinds) and all(kind.startswith(_OLD_NOTATIONS) for kind in kinds)
    if is_old or next(music.iter("neume"), None) is not None:
        raise ScoreFileError(
            f"'{name}' is written in mensural or neume notation, which does not tell how long its notes are in "
            "quarters; choose a transcription in modern notation."
        )


def _describe(raw: RawScore, document: Element) -> None:
    """Take title and composer from the header."""
    header = document.find("meiHead")
    if header is None:
        return
    statement = header.find("fileDesc/titleStmt")
    places = [p for p in (statement, header.find(".//work"), header.find("workDesc")) if p is not None]
    raw.title = next((text for p in places for text in map(text_of, _titles(p)) if text), "")
    composers = [e for p in places for e in p.iter("composer")]
    composers += [e for p in places for e in p.iter("persName") if e.get("role") in ("composer", "cmp")]
    raw.composer = next((text for text in map(text_of, composers) if text), "")


def _titles(statement: Element) -> list[Element]:
    titles = list(statement.iter("title"))
    return sorted(titles, key=lambda t: t.get("type") in ("subordinate", "subtitle", "abbreviated"))
