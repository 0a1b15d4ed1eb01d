// The viewer of volumes on the hub's pages. hub.js loads it when somebody asks for it.
import { NVImage, Niivue, SLICE_TYPE } from "@niivue/niivue";

const COLOURS = [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167]]; // Okabe and Ito
const LAYOUTS = [["three planes", SLICE_TYPE.MULTIPLANAR], ["axial", SLICE_TYPE.AXIAL], ["coronal", SLICE_TYPE.CORONAL], ["sagittal", SLICE_TYPE.SAGITTAL]];
const COLOUR_NAMES = ["orange", "sky blue", "green", "yellow", "blue", "vermilion", "purple"];
// patient axes: niivue counts x and y towards right and front (RAS), the page towards left and back (LPS)
const AXES = [["x", "left", -1], ["y", "back", -1], ["z", "head", 1]];
const LOWEST_SHOWN = 0.1; // of a dose's maximum: less is not coloured
const SMALLEST = 60; // pixels: three planes with gaps between them do not fit into less
const SOFT_TISSUE = [-160, 240]; // HU: level 40, width 400

let numbers = 0;

function make(tag, properties = {}, ...children) {
  const one = Object.assign(document.createElement(tag), properties);
  one.append(...children);
  return one;
}

function field(text, input, unit = "") {
  input.id = `viewer-${(numbers += 1)}`;
  const label = make("label", { htmlFor: input.id }, text);
  if (unit) label.append(make("span", { className: "soft" }, ` (${unit})`));
  return make("div", { className: "field" }, label, input);
}

function shortly(value) {
  return Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString();
}

function unitOf(text) {
  return text && text !== "1" ? text : "";
}

function labelsOf(count) {
  const table = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: ["nothing"] };
  for (let value = 1; value <= count; value += 1) {
    const [red, green, blue] = COLOURS[(value - 1) % COLOURS.length];
    table.R.push(red); table.G.push(green); table.B.push(blue); table.A.push(255); table.I.push(value); table.labels.push(String(value));
  }
  return table;
}

async function fetched(source) {
  const answer = await fetch(source.address, { headers: { Accept: "application/gzip" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(answer.status === 429 ? "It was asked for too often; try again in a minute." : `The hub does not give it out (${answer.status}).`);
  const said = (name) => decodeURIComponent(answer.headers.get(name) || "");
  const told = { says: said("X-Volume-Says"), kind: said("X-Volume-Kind"), unit: unitOf(said("X-Volume-Unit")), largest: Number(said("X-Volume-Largest")) };
  const data = await answer.arrayBuffer();
  return { ...source, ...told, image: await NVImage.loadFromUrl({ url: data, name: `${source.name.replace(/.*\//, "")}.nii.gz` }) };
}

function coloured(layer, below) {
  const { image } = layer;
  if (layer.kind === "labels") {
    image.setColormapLabel(labelsOf(layer.largest));
  } else if (below) {
    image.colormap = "inferno";
    image.cal_min = LOWEST_SHOWN * image.global_max;
    image.cal_max = image.global_max;
  } else if (layer.unit === "HU") {
    [image.cal_min, image.cal_max] = SOFT_TISSUE;
  }
  image.opacity = below ? 0.5 : 1;
}

class Viewer {
  constructor(place) {
    this.place = place;
    this.given = JSON.parse(place.dataset.viewer);
    this.canvas = make("canvas", { tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.said = make("p", { className: "small" });
    this.said.setAttribute("role", "status");
    this.shown = make("div", { className: "screen" }, this.canvas);
    this.layers = [];
    const niivue = new Niivue({
      isRadiologicalConvention: true, isSliceMM: true, isNearestInterpolation: true, isColorbar: false, dragAndDropEnabled: false, isOrientationTextVisible: true,
      multiplanarShowRender: 0, multiplanarLayout: 3, logLevel: "error", backColor: [0, 0, 0, 1], crosshairColor: [0.34, 0.71, 0.91, 0.8], crosshairWidth: 0.7, crosshairWidthUnit: "percent",
      fontMinPx: 20, fontColor: [0.94, 0.89, 0.26, 1], showAllOrientationMarkers: true, multiplanarPadPixels: 6, sagittalNoseLeft: true, interactive: true, loadingText: "", isResizeCanvas: true, isAlphaClipDark: true,
    });
    this.niivue = niivue;
    const draw = niivue.drawScene.bind(niivue); // NiiVue calls it by itself too, also while the page is left and nothing has a size
    niivue.drawScene = () => { if (Math.min(this.canvas.width, this.canvas.height) > SMALLEST) return draw(); };
    niivue.onLocationChange = () => this.tell();
    niivue.onIntensityChange = () => this.tellWindow();
  }

  async open() {
    this.place.replaceChildren(this.shown);
    await this.niivue.attachToCanvas(this.canvas);
    const first = await fetched(this.given);
    coloured(first, false);
    this.niivue.addVolume(first.image);
    this.layers.push(first);
    this.place.append(this.controls(), this.said, make("p", { className: "small soft" }, `R and L are the patient's right and left, A and P front and back, S and I head and feet. ${first.says}`));
    this.canvas.addEventListener("keydown", (event) => this.step(event));
    this.turn();
    new ResizeObserver(() => this.turn()).observe(this.shown);
    this.home();
  }

  home() {
    this.niivue.scene.crosshairPos = [0.5, 0.5, 0.5];
    this.niivue.scene.pan2Dxyzmm = [0, 0, 0, 1];
    this.niivue.drawScene();
    this.tell();
  }

  turn() { // a narrow page has the planes one below another
    const narrow = this.shown.clientWidth < 600 && this.layout === undefined;
    this.shown.classList.toggle("high", narrow);
    this.niivue.opts.multiplanarLayout = narrow ? 1 : 3;
    this.niivue.resizeListener?.();
    this.niivue.drawScene();
  }

  position() {
    const [x, y, z] = this.niivue.frac2mm(this.niivue.scene.crosshairPos);
    return [-x, -y, z];
  }

  move(axis, mm) {
    const at = this.position();
    at[axis] = mm;
    this.niivue.scene.crosshairPos = this.niivue.mm2frac([-at[0], -at[1], at[2]]).map((part) => Math.min(1, Math.max(0, part)));
    this.niivue.drawScene();
    this.tell();
  }

  step(event) {
    const at = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, -1], ArrowDown: [1, 1], PageUp: [2, 1], PageDown: [2, -1] }[event.key];
    if (!at) return;
    event.preventDefault();
    event.stopPropagation();
    const [axis, sign] = at;
    this.move(axis, this.position()[axis] + sign * this.ranges[axis].step);
  }

  tell() {
    if (!this.ranges) return;
    const at = this.position();
    this.ranges.forEach((range, axis) => {
      range.value = at[axis];
      range.setAttribute("aria-valuetext", `${axis === 2 ? "z" : "xy"[axis]} ${at[axis].toFixed(1)} mm`);
    });
    const values = this.layers.filter((one) => one.image.opacity > 0).map((one) => {
      const voxel = one.image.mm2vox([-at[0], -at[1], at[2]]);
      const value = one.image.getValue(...voxel);
      return `${one.name}: ${one.kind === "labels" && value === 0 ? "nothing marked" : `${one.kind === "labels" ? "label " : ""}${shortly(value)}${one.unit ? ` ${one.unit}` : ""}`}`;
    });
    const where = AXES.map(([name], axis) => `${name} ${at[axis].toFixed(1)}`).join(", ");
    this.said.textContent = `${where} mm. ${values.join("; ")}.`;
    const overlays = this.layers.slice(1).filter((one) => one.image.opacity > 0).map((one) => one.name);
    const over = overlays.length ? ` with ${overlays.join(" and ")} laid over it` : "";
    this.canvas.setAttribute("aria-label", `Slices of ${this.given.name}${over}, through ${where} mm of the patient: ${this.layout || "axial, coronal and sagittal"}. The patient's left is at the right. Arrow keys and Page up and down move the point.`);
  }

  tellWindow() {
    if (!this.level) return;
    const { cal_min: low, cal_max: high } = this.layers[0].image;
    this.level.value = shortly((low + high) / 2);
    this.width.value = shortly(high - low);
  }

  setWindow() {
    const level = Number(this.level.value), width = Number(this.width.value);
    if (!Number.isFinite(level) || !(width > 0)) return;
    const { image } = this.layers[0];
    image.cal_min = level - width / 2;
    image.cal_max = level + width / 2;
    this.niivue.updateGLVolume();
  }

  controls() {
    const { image, unit, kind } = this.layers[0];
    const box = make("div", { className: "filters" });
    const [low, high] = this.niivue.sceneExtentsMinMax(true);
    this.ranges = AXES.map(([name, towards, sign], axis) => {
      const ends = [sign * low[axis], sign * high[axis]].sort((a, b) => a - b);
      const range = make("input", { type: "range", min: ends[0], max: ends[1], step: Math.abs(image.pixDimsRAS[axis + 1]) });
      range.addEventListener("input", () => this.move(axis, Number(range.value)));
      box.append(field(`${name}, towards the ${towards}`, range, "mm"));
      return range;
    });
    if (kind !== "labels") {
      this.level = make("input", { type: "number", step: "any", className: "short" });
      this.width = make("input", { type: "number", step: "any", min: 0, className: "short" });
      for (const one of [this.level, this.width]) one.addEventListener("change", () => this.setWindow());
      box.append(field("Window level", this.level, unit), field("Window width", this.width, unit));
      this.tellWindow();
    }
    const layout = make("select", {}, ...LAYOUTS.map(([text, value]) => make("option", { value }, text)));
    layout.addEventListener("change", () => {
      const [text, value] = LAYOUTS.find(([, one]) => String(one) === layout.value);
      this.layout = value === SLICE_TYPE.MULTIPLANAR ? undefined : text;
      this.niivue.setSliceType(value);
      this.turn();
      this.tell();
    });
    box.append(field("Planes", layout));
    for (const other of this.given.overlays || []) box.append(this.overlay(other));
    const back = make("button", { type: "button", className: "button" }, "To the middle");
    back.addEventListener("click", () => this.home());
    box.append(back);
    return box;
  }

  overlay(other) {
    const strength = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0 });
    const place = field(`${other.name} over it`, strength, "0: hidden");
    let layer;
    let asked = false;
    strength.addEventListener("input", async () => {
      strength.setAttribute("aria-valuetext", `${Math.round(100 * strength.value)} percent`);
      if (!layer && asked) return;
      if (!layer) {
        asked = true;
        try {
          layer = await fetched(other);
        } catch (error) {
          asked = false;
          this.said.textContent = `${other.name}: ${error.message}`;
          return;
        }
        coloured(layer, true);
        this.layers.push(layer);
        this.niivue.addVolume(layer.image);
        place.append(make("p", { className: "small soft" }, legend(layer)));
      }
      this.niivue.setOpacity(this.niivue.volumes.indexOf(layer.image), Number(strength.value));
      this.tell();
    });
    return place;
  }
}

function legend(layer) {
  if (layer.kind === "labels") {
    const named = Array.from({ length: Math.min(layer.largest, COLOURS.length) }, (_, at) => `label ${at + 1} ${COLOUR_NAMES[at]}`);
    return `Colours: ${named.join(", ")}${layer.largest > COLOURS.length ? ", then again from the first" : ""}. ${layer.says}`;
  }
  const unit = layer.unit ? ` ${layer.unit}` : "";
  return `Black to yellow is ${shortly(layer.image.cal_min)} to ${shortly(layer.image.cal_max)}${unit}; less is not coloured. ${layer.says}`;
}

export async function show(place) {
  const viewer = new Viewer(place);
  try {
    await viewer.open();
    place.viewer = viewer;
    viewer.canvas.focus({ preventScroll: true });
  } catch (error) {
    place.replaceChildren(make("p", { className: "notice" }, `The viewer cannot show it here: ${error.message} The slices above stay.`));
  }
}
