export { createImages, type Images, type ImagesOptions, type ImageSource } from "./images";
export type { ImageHeader, ImagePlan } from "./plan";
