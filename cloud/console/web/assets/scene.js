// The slider that lays a scene's mask over its picture.

const canvas = document.querySelector("[data-canvas]");
const mask = canvas?.querySelector(".mask");
const slider = document.getElementById("opacity");
const tiles = document.getElementById("show-grid");

if (mask && slider) {
  slider.closest(".slider").hidden = false;
  const show = () => {
    mask.style.opacity = slider.value / 100;
    slider.nextElementSibling.textContent = `${slider.value} %`;
  };
  slider.addEventListener("input", show);
  show();
  const grid = canvas.querySelector(".grid");
  if (grid) {
    tiles.addEventListener("change", () => grid.classList.toggle("shown", tiles.checked));
  } else {
    tiles.parentElement.hidden = true;
  }
}
